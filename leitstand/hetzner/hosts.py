"""Volumes and servers."""

import hashlib
from collections.abc import Iterator
from functools import partial
from typing import Any

from hcloud.firewalls import FirewallResource
from hcloud.images import Image
from hcloud.locations import Location
from hcloud.server_types import ServerType
from hcloud.servers import Server as AnyServer
from hcloud.servers import ServerCreatePublicNetwork

from leitstand.hetzner import description
from leitstand.hetzner.cloud import Cloud
from leitstand.hetzner.cloud_init import user_data
from leitstand.hetzner.description import Environment, Site
from leitstand.hetzner.parts import Change, Part, differs
from leitstand.words import msg

CLOUD_INIT = "leitstand-cloud-init"
ROLE = "leitstand-role"


class Volume(Part):
    """Data. It is never made smaller, moved, formatted again or deleted from here."""

    kind, title, data, protectable = "volumes", "volume", True, True

    def __init__(self, cloud: Cloud, environment: Environment, volume: description.Volume) -> None:
        super().__init__(cloud, environment, volume.name)
        self.volume = volume

    def unchangeable(self, thing: Any) -> Iterator[str]:
        """Its place, and a size below what it has."""
        yield from differs("the location", thing.location.name, self.environment.location)
        if thing.size > self.volume.size_gb:
            yield msg(
                "it has {there} GB, described are {wanted}: a volume can't shrink",
                there=thing.size,
                wanted=self.volume.size_gb,
            )
        server = self.cloud.all("servers").get(self.volume.server)
        if thing.server is not None and (server is None or thing.server.id != server.id):
            yield msg("it is attached to another server than {name}", name=self.volume.server)

    def changes(self, thing: Any) -> Iterator[Change]:
        """More room, and the server it belongs to."""
        if thing.size < self.volume.size_gb:
            yield Change(
                msg("grows it from {there} to {wanted} GB", there=thing.size, wanted=self.volume.size_gb),
                lambda: self.cloud.wait(thing.resize(self.volume.size_gb)),
            )
        server = self.cloud.all("servers").get(self.volume.server)
        if thing.server is None and server is not None:
            yield Change(
                msg("attaches it to {name}", name=self.volume.server),
                lambda: self.cloud.wait(thing.attach(server, automount=False)),
            )

    def make(self) -> None:
        """Make it, with an empty file system."""
        answer = self.cloud.client.volumes.create(
            size=self.volume.size_gb,
            name=self.name,
            labels=self.labels,  # type: ignore[arg-type]  # the client says str and sends what it is given
            location=Location(name=self.environment.location),
            format="ext4",
        )
        self.cloud.wait(answer.action, *answer.next_actions)


class Server(Part):
    """A host. Its own disk holds data too (it may be the database's), so it is protected and never made anew."""

    kind, title, data, protectable = "servers", "server", True, True

    def __init__(
        self, cloud: Cloud, environment: Environment, server: description.Server, site: Site
    ) -> None:
        super().__init__(cloud, environment, server.name)
        self.server, self.site = server, site

    @property
    def labels(self) -> dict[str, str]:
        """Whose it is, what it is for."""
        return {**super().labels, ROLE: self.server.role}

    @property
    def user_data(self) -> str:
        """Its cloud-init, with the devices of its volumes."""
        volumes = [each.name for each in self.environment.volumes if each.server == self.name]
        ids = [self.cloud.all("volumes")[name].id for name in volumes if name in self.cloud.all("volumes")]
        return user_data(self.environment, self.server, self.site, volume_id=ids[0] if ids else 0)

    def reasons_not_to_make(self) -> Iterator[str]:
        """A type that isn't sold there (any more)."""
        kinds = {each.name: each for each in self.cloud.patiently(self.cloud.client.server_types.get_all)}
        kind = kinds.get(self.server.type)
        places = {each.location.name for each in kind.locations or []} if kind else set()
        if kind is None:
            yield msg("Hetzner has no server type {name}", name=self.server.type)
        elif self.environment.location not in places:
            yield msg("{name} is not sold in {place}", name=self.server.type, place=self.environment.location)

    def unchangeable(self, thing: Any) -> Iterator[str]:
        """Its place and its type, whose change needs the host off."""
        yield from differs("the location", thing.location.name, self.environment.location)
        if thing.server_type.name != self.server.type:
            yield msg(
                "its type is {there}, described is {wanted}: change it in a maintenance window (deploy/README.md)",
                there=thing.server_type.name,
                wanted=self.server.type,
            )

    def notes(self, thing: Any) -> Iterator[str]:
        """What only a new host would have."""
        if (thing.labels or {}).get(CLOUD_INIT) not in {None, fingerprint(self.user_data)}:
            yield msg("it was made with another cloud-init than described; a new host would have the new one")
        if thing.image is not None and thing.image.name != self.server.image:
            yield msg("it was made from {image}", image=thing.image.name)

    def changes(self, thing: Any) -> Iterator[Change]:
        """Its network, firewalls, backups and whether it runs."""
        yield from self._joining(thing)
        yield from self._shielding(thing)
        if self.server.backups and not thing.backup_window:
            yield Change(msg("switches Hetzner's backups on"), lambda: self.cloud.wait(thing.enable_backup()))
        if thing.status == AnyServer.STATUS_OFF:
            yield Change(msg("starts it"), lambda: self.cloud.wait(thing.power_on()))

    def _joining(self, thing: Any) -> Iterator[Change]:
        wanted = self.environment.network
        network = self.cloud.all("networks").get(wanted.name) if wanted else None
        here = [each.network.id for each in thing.private_net or []]
        if network is not None and network.id not in here:
            yield Change(
                msg("joins it to the private network as {address}", address=self.server.private_ip),
                lambda: self.cloud.wait(thing.attach_to_network(network, ip=self.server.private_ip)),
            )

    def _shielding(self, thing: Any) -> Iterator[Change]:
        applied = {each.firewall.id for each in thing.public_net.firewalls or []}
        for name in self.server.firewalls:
            firewall = self.cloud.all("firewalls").get(name)
            if firewall is not None and firewall.id not in applied:
                resource = FirewallResource(type=FirewallResource.TYPE_SERVER, server=thing)
                yield Change(
                    msg("puts it behind the firewall {name}", name=name),
                    partial(self._shield, firewall, resource),
                )

    def _shield(self, firewall: Any, resource: FirewallResource) -> None:
        self.cloud.wait(*firewall.apply_to_resources([resource]))

    def protect(self, thing: Any) -> None:
        """Have Hetzner refuse its deletion and its being made anew."""
        self.cloud.wait(thing.change_protection(delete=True, rebuild=True))

    def make(self) -> None:
        """Order it with all that it is born with, and wait until it runs."""
        text, cloud = self.user_data, self.cloud
        addresses = cloud.all("primary_ips")
        answer = cloud.client.servers.create(
            name=self.name,
            server_type=ServerType(name=self.server.type),
            image=Image(name=self.server.image),
            location=Location(name=self.environment.location),
            ssh_keys=[cloud.all("ssh_keys")[each.name] for each in self.environment.ssh_keys],
            firewalls=[cloud.all("firewalls")[name] for name in self.server.firewalls],
            placement_group=cloud.all("placement_groups").get(self.server.placement_group or ""),
            volumes=[cloud.all("volumes")[each.name] for each in self._detached()],
            automount=False,
            user_data=text,
            labels={**self.labels, CLOUD_INIT: fingerprint(text)},
            public_net=ServerCreatePublicNetwork(
                ipv4=addresses.get(self.server.ipv4 or ""),
                ipv6=addresses.get(self.server.ipv6 or ""),
                enable_ipv4=self.server.ipv4 is not None,
                enable_ipv6=self.server.ipv6 is not None,
            ),
        )
        cloud.wait(answer.action, *answer.next_actions)

    def _detached(self) -> list[description.Volume]:
        """Its volumes that no server has."""
        there = self.cloud.all("volumes")
        own = [each for each in self.environment.volumes if each.server == self.name]
        return [each for each in own if each.name in there and there[each.name].server is None]


def fingerprint(text: str) -> str:
    """What tells one cloud-init from another, short enough for a label."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]
