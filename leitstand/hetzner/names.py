"""A zone of DNS and its records."""

from collections.abc import Iterator
from typing import Any

from hcloud.zones import ZoneRecord

from leitstand.hetzner import description
from leitstand.hetzner.cloud import Cloud
from leitstand.hetzner.description import Environment
from leitstand.hetzner.networking import first_address
from leitstand.hetzner.parts import Change, Look, Part, differs
from leitstand.words import msg


class Zone(Part):
    """A domain. Its records that aren't described are somebody's, and stay."""

    kind, title, data, protectable = "zones", "DNS zone", True, True

    def __init__(self, cloud: Cloud, environment: Environment, zone: description.Zone) -> None:
        super().__init__(cloud, environment, zone.name)
        self.zone = zone

    def unchangeable(self, thing: Any) -> Iterator[str]:
        """Whether Hetzner is where its records are kept."""
        yield from differs("the mode", thing.mode, "primary")

    def notes(self, thing: Any) -> Iterator[str]:
        """Where the registrar has to point."""
        servers = thing.authoritative_nameservers
        if servers is not None and servers.delegation_status != "valid":
            names = ", ".join(servers.assigned or [])
            yield msg("the registrar does not delegate it yet; it has to name {names}", names=names)

    def changes(self, thing: Any) -> Iterator[Change]:
        """Its time to live."""
        if thing.ttl != self.zone.ttl:
            yield Change(
                msg("sets its TTL to {seconds} s", seconds=self.zone.ttl),
                lambda: self.cloud.wait(thing.change_ttl(self.zone.ttl)),
            )

    def make(self) -> None:
        """Make it, without records."""
        answer = self.cloud.client.zones.create(
            name=self.name, mode="primary", ttl=self.zone.ttl, labels=self.labels
        )
        self.cloud.wait(answer.action)


class Records(Part):
    """The records of one name and type."""

    kind, title, relabels = "zones", "DNS records", False

    def __init__(
        self, cloud: Cloud, environment: Environment, zone: description.Zone, record: description.Record
    ) -> None:
        super().__init__(cloud, environment, f"{record.name} {record.type}")
        self.zone, self.record = zone, record

    def found(self) -> Any:
        """The set in the zone."""
        zone = self.cloud.all("zones").get(self.zone.name)
        return self.cloud.record_sets(zone).get(self.name) if zone else None

    def _values(self) -> list[str] | None:
        """What they should say; None while the primary IP isn't there."""
        if not self.record.primary_ip:
            return self.record.values
        address = self.cloud.all("primary_ips").get(self.record.primary_ip)
        return [first_address(address)] if address is not None else None

    def look(self) -> Look:
        """How they stand. A set is ours by what it is for, not by a label: DNS records are moved here from elsewhere."""
        thing, values = self.found(), self._values()
        if thing is None:
            return Look(False)
        look = Look(True)
        there = sorted(each.value for each in thing.records or [])
        if values is not None and there != sorted(values):
            sentence = msg(
                "sets {values} instead of {there}", values=", ".join(values), there=", ".join(there)
            )
            look.changes.append(Change(sentence, lambda: self._set(thing)))
        if thing.ttl != self.record.ttl:
            look.changes.append(
                Change(msg("sets the TTL"), lambda: self.cloud.wait(thing.change_rrset_ttl(self.record.ttl)))
            )
        return look

    def _records(self) -> list[ZoneRecord]:
        return [ZoneRecord(value=value) for value in self._values() or []]

    def _set(self, thing: Any) -> None:
        self.cloud.wait(thing.set_rrset_records(self._records()))

    def make(self) -> None:
        """Write them into the zone."""
        zone = self.cloud.all("zones")[self.zone.name]
        answer = self.cloud.client.zones.create_rrset(
            zone,
            name=self.record.name,
            type=self.record.type,
            ttl=self.record.ttl,
            records=self._records(),
            labels=self.labels,
        )
        self.cloud.wait(answer.action)
