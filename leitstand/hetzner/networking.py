"""Keys, the private network, placement groups, firewalls and addresses."""

from collections.abc import Iterator
from ipaddress import IPv6Network, ip_network
from typing import Any

from hcloud.firewalls import FirewallRule
from hcloud.locations import Location
from hcloud.networks import NetworkSubnet

from leitstand.hetzner import description
from leitstand.hetzner.cloud import Cloud
from leitstand.hetzner.description import Environment
from leitstand.hetzner.parts import Change, Part, differs
from leitstand.words import msg


class SshKey(Part):
    """Somebody's public key, which new servers take."""

    kind, title = "ssh_keys", "SSH key"

    def __init__(self, cloud: Cloud, environment: Environment, key: description.Key) -> None:
        super().__init__(cloud, environment, key.name)
        self.key = key

    def unchangeable(self, thing: Any) -> Iterator[str]:
        """Another key under the same name."""
        if thing.public_key.split()[:2] != self.key.public_key.split()[:2]:
            yield msg("another key has this name; describe the new one under a new name")

    def make(self) -> None:
        """Put it there."""
        self.cloud.client.ssh_keys.create(name=self.name, public_key=self.key.public_key, labels=self.labels)


class PrivateNetwork(Part):
    """The network between the hosts."""

    kind, title, protectable = "networks", "network", True

    def __init__(self, cloud: Cloud, environment: Environment, network: description.Network) -> None:
        super().__init__(cloud, environment, network.name)
        self.network = network

    @property
    def _subnet(self) -> NetworkSubnet:
        return NetworkSubnet(
            ip_range=self.network.subnet, type=NetworkSubnet.TYPE_CLOUD, network_zone=self.network.zone
        )

    def unchangeable(self, thing: Any) -> Iterator[str]:
        """Its range: hosts have their addresses from it."""
        yield from differs("the range", thing.ip_range, self.network.ip_range)

    def changes(self, thing: Any) -> Iterator[Change]:
        """Its subnet."""
        if self.network.subnet not in {each.ip_range for each in thing.subnets or []}:
            yield Change(
                msg("adds the subnet {range}", range=self.network.subnet),
                lambda: self.cloud.wait(thing.add_subnet(self._subnet)),
            )

    def make(self) -> None:
        """Make it with its subnet."""
        self.cloud.client.networks.create(
            name=self.name, ip_range=self.network.ip_range, subnets=[self._subnet], labels=self.labels
        )


class PlacementGroup(Part):
    """Hosts of one group never share a machine."""

    kind, title = "placement_groups", "placement group"

    def make(self) -> None:
        """Make it."""
        answer = self.cloud.client.placement_groups.create(name=self.name, type="spread", labels=self.labels)
        self.cloud.wait(answer.action)


class Firewall(Part):
    """What may come in."""

    kind, title = "firewalls", "firewall"

    def __init__(self, cloud: Cloud, environment: Environment, firewall: description.Firewall) -> None:
        super().__init__(cloud, environment, firewall.name)
        self.firewall = firewall

    @property
    def _rules(self) -> list[FirewallRule]:
        return [
            FirewallRule(
                direction=FirewallRule.DIRECTION_IN,
                protocol=rule.protocol,
                port=rule.port,
                source_ips=rule.sources,
                description=rule.description,
            )
            for rule in self.firewall.rules
        ]

    def changes(self, thing: Any) -> Iterator[Change]:
        """Its rules, all at once: Hetzner replaces them in one step."""
        wanted = self._rules
        if sorted(map(_spelled, thing.rules or [])) != sorted(map(_spelled, wanted)):
            yield Change(
                msg("sets its rules ({number})", number=len(wanted)),
                lambda: self.cloud.wait(*thing.set_rules(wanted)),
            )

    def make(self) -> None:
        """Make it with its rules."""
        answer = self.cloud.client.firewalls.create(
            name=self.name,
            rules=self._rules,
            labels=self.labels,  # type: ignore[arg-type]  # the client says str and sends what it is given
        )
        self.cloud.wait(*(answer.actions or []))


def _spelled(rule: FirewallRule) -> tuple[str, ...]:
    sources = sorted(str(ip_network(each)) for each in rule.source_ips or [])
    return (rule.direction, rule.protocol, rule.port or "", *sources, rule.description or "")


class PrimaryIp(Part):
    """An address that others know (DNS, allow-lists), so it is protected and outlives its server."""

    kind, title, data, protectable = "primary_ips", "primary IP", True, True

    def __init__(self, cloud: Cloud, environment: Environment, address: description.PrimaryIp) -> None:
        super().__init__(cloud, environment, address.name)
        self.address = address

    def unchangeable(self, thing: Any) -> Iterator[str]:
        """Its type and its place."""
        yield from differs("the type", thing.type, self.address.type)
        yield from differs("the location", thing.location.name, self.environment.location)

    def changes(self, thing: Any) -> Iterator[Change]:
        """Its end with its server's, and its reverse name."""
        if thing.auto_delete:
            yield Change(msg("keeps it when its server goes"), lambda: thing.update(auto_delete=False))
        first, reverse = first_address(thing), self.address.reverse
        names = {each["ip"]: each["dns_ptr"] for each in thing.dns_ptr or []}
        if reverse and names.get(first) != reverse:
            yield Change(
                msg("names {address} {name}", address=first, name=reverse),
                lambda: self.cloud.wait(thing.change_dns_ptr(first, reverse)),
            )

    def make(self) -> None:
        """Reserve it."""
        answer = self.cloud.client.primary_ips.create(
            type=self.address.type,
            name=self.name,
            location=Location(name=self.environment.location),
            auto_delete=False,
            labels=self.labels,
        )
        self.cloud.wait(answer.action)


def first_address(primary_ip: Any) -> str:
    """The address of a primary IP; of an IPv6 network its first host's."""
    return str(primary_ip.ip) if primary_ip.type == "ipv4" else str(IPv6Network(primary_ip.ip)[1])
