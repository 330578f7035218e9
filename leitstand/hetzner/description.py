"""What an environment at Hetzner is made of: files of data, read strictly, and checked before anything is asked."""

import tomllib
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv4Network, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from leitstand.errors import InvalidInput, NotFound
from leitstand.hetzner.filling import fill
from leitstand.settings import REPOSITORY
from leitstand.words import msg

FOLDER = REPOSITORY / "deploy" / "hetzner"
ENVIRONMENTS = FOLDER / "environments"
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,61}[a-z0-9]$")]
Domain = Annotated[str, StringConstraints(pattern=r"^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,}$")]
PublicKey = Annotated[
    str, StringConstraints(pattern=r"^(ssh-ed25519|sk-ssh-ed25519@openssh\.com) [A-Za-z0-9+/=]{60,}( \S+)?$")
]
Port = Annotated[str, StringConstraints(pattern=r"^\d{1,5}(-\d{1,5})?$")]


class Strict(BaseModel):
    """A part of a description: no key that isn't known, no value of another type."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Key(Strict):
    """Somebody's public key: Ed25519 only."""

    name: Name
    public_key: PublicKey


class Site(Strict):
    """What differs between installations: names, people's keys, and from where they come."""

    domain: Domain
    staging_domain: Domain
    mail: Annotated[str, StringConstraints(pattern=r"^[^@\s]+@[^@\s]+$")]
    repository: Annotated[str, StringConstraints(pattern=r"^https://[\w./-]+\.git$")]
    admin_networks: list[str] = Field(min_length=1)
    staging_ipv4: list[str] = Field(
        [], description="Address of staging, for its record in production's zone."
    )
    release_key: PublicKey
    staging_release_key: PublicKey
    ssh_keys: list[Key] = Field(min_length=1)

    @model_validator(mode="after")
    def _networks_are_some(self) -> Self:
        for network in self.admin_networks:
            if ip_network(network).prefixlen == 0:
                raise ValueError("admin_networks must not be the whole internet")
        if self.release_key == self.staging_release_key:
            raise ValueError("staging and production must not share a release key")
        return self


class Network(Strict):
    """The private network: IPv4, one subnet."""

    name: Name
    ip_range: str
    subnet: str
    zone: Literal["eu-central", "us-east", "us-west", "ap-southeast"] = "eu-central"

    @model_validator(mode="after")
    def _subnet_is_inside(self) -> Self:
        if not IPv4Network(self.subnet).subnet_of(IPv4Network(self.ip_range)):
            raise ValueError(f"subnet {self.subnet} is not in {self.ip_range}")
        return self


class Rule(Strict):
    """What may come in; nothing else does."""

    protocol: Literal["tcp", "udp", "icmp"]
    port: Port | None = None
    sources: list[str] = Field(min_length=1)
    description: str

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if (self.port is None) != (self.protocol == "icmp"):
            raise ValueError("tcp and udp have a port, icmp has none")
        for source in self.sources:
            ip_network(source)
        return self


class Firewall(Strict):
    """Rules for incoming packets; outgoing ones are the host's own matter."""

    name: Name
    rules: list[Rule]


class PrimaryIp(Strict):
    """An address that outlives its server."""

    name: Name
    type: Literal["ipv4", "ipv6"]
    reverse: Domain | None = None


class Volume(Strict):
    """Data outside of the server's own disk; always protected from deletion."""

    name: Name
    size_gb: int = Field(ge=10, le=10_240)
    server: Name


class Server(Strict):
    """One host."""

    name: Name
    type: Name
    image: Name
    cloud_init: Name
    private_ip: str
    role: Literal["all", "workers", "runtime", "insights", "replica"] = "all"
    ipv4: Name | None = None
    ipv6: Name | None = None
    placement_group: Name | None = None
    firewalls: list[Name] = Field(min_length=1)
    backups: bool = False
    release_key: PublicKey | None = None
    domain: Domain | None = None


class Record(Strict):
    """Records of one name and type: given, or the address of a primary IP."""

    name: Annotated[str, StringConstraints(pattern=r"^(@|\*|[a-z0-9_*][a-z0-9_.*-]*)$")]
    type: Literal["A", "AAAA", "CAA", "CNAME", "MX", "TXT"]
    values: list[str] = []
    primary_ip: Name | None = None
    ttl: int | None = Field(None, ge=60, le=2_147_483_647)


class Zone(Strict):
    """A domain whose records are ours; what else is in it is left as it is."""

    name: Domain
    ttl: int = Field(3600, ge=60, le=2_147_483_647)
    records: list[Record] = []


class Bucket(Strict):
    """A bucket of object storage; a lock can only be asked for when it is made."""

    name: Name
    versioned: bool = True
    lockable: bool = False


class Environment(Strict):
    """One project at Hetzner: what belongs to an environment and nothing else."""

    name: Name
    location: Literal["fsn1", "nbg1", "hel1", "ash", "hil", "sin"]
    separate_from: list[Name] = []
    network: Network | None = None
    ssh_keys: list[Key] = []
    placement_groups: list[Name] = []
    firewalls: list[Firewall] = []
    primary_ips: list[PrimaryIp] = []
    volumes: list[Volume] = []
    servers: list[Server] = []
    zone: Zone | None = None
    buckets: list[Bucket] = []

    @property
    def needs_cloud(self) -> bool:
        """Whether there is anything to make with a token of the Cloud API."""
        return bool(self.servers or self.network or self.zone or self.primary_ips or self.volumes)

    @model_validator(mode="after")
    def _names_are_of_one(self) -> Self:
        for kind in ("ssh_keys", "firewalls", "primary_ips", "volumes", "servers", "buckets"):
            names = [each.name for each in getattr(self, kind)]
            if len(names) != len(set(names)):
                raise ValueError(f"two {kind} have one name")
        return self

    @model_validator(mode="after")
    def _what_is_named_is_there(self) -> Self:
        wrong = [*self._unknown(), *self._addresses(), *self._records()]
        if wrong:
            raise ValueError("; ".join(wrong))
        return self

    def _unknown(self) -> Iterator[str]:
        firewalls, addresses = (
            {each.name for each in self.firewalls},
            {each.name: each.type for each in self.primary_ips},
        )
        for server in self.servers:
            yield from _missing(f"server {server.name}: firewall", server.firewalls, firewalls)
            groups = [server.placement_group] if server.placement_group else []
            yield from _missing(f"server {server.name}: placement group", groups, self.placement_groups)
            for kind, name in (("ipv4", server.ipv4), ("ipv6", server.ipv6)):
                if name and addresses.get(name) != kind:
                    yield f"server {server.name}: there is no primary IP {name} of type {kind}"
        servers = {each.name for each in self.servers}
        for volume in self.volumes:
            yield from _missing(f"volume {volume.name}: server", [volume.server], servers)

    def _addresses(self) -> Iterator[str]:
        if self.servers and not self.ssh_keys:
            yield "servers without SSH keys would get passwords by mail"
        taken: set[str] = set()
        for server in self.servers:
            if self.network is None:
                yield f"server {server.name}: there is no private network"
            elif not _of_a_host(server.private_ip, IPv4Network(self.network.subnet)):
                yield f"server {server.name}: {server.private_ip} is not a host's address in {self.network.subnet}"
            if {server.private_ip, server.ipv4, server.ipv6} & taken - {"", None}:
                yield f"server {server.name}: another server has one of its addresses"
            taken |= {each for each in (server.private_ip, server.ipv4, server.ipv6) if each}

    def _records(self) -> Iterator[str]:
        types = {each.name: each.type for each in self.primary_ips}
        wanted = {"A": "ipv4", "AAAA": "ipv6"}
        for record in self.zone.records if self.zone else []:
            if bool(record.values) == bool(record.primary_ip):
                yield f"record {record.name} {record.type}: give values or a primary IP"
            elif record.primary_ip and types.get(record.primary_ip) != wanted.get(record.type, "none"):
                yield f"record {record.name} {record.type}: there is no such primary IP of its type"


def _of_a_host(address: str, subnet: IPv4Network) -> bool:
    """Whether a host may have it: the first is Hetzner's gateway, and the last everybody's."""
    given = IPv4Address(address)
    return given in subnet and given not in (subnet[0], subnet[1], subnet[-1])


def _missing(what: str, names: Iterable[str], known: Iterable[str]) -> list[str]:
    return [f"{what} {name} is not described" for name in names if name not in known]


def read_site(path: Path) -> Site:
    """The file of this installation.

    Raises:
        NotFound, InvalidInput: it isn't there, or isn't right.
    """
    return _checked(Site, _read(path), path)


def read_environment(name: str, site: Site, folder: Path = ENVIRONMENTS) -> Environment:
    """The environment of that name, with the site's values put in; records without a value are left out.

    Raises:
        NotFound, InvalidInput: there is none, or it isn't right.
    """
    path = folder / f"{name}.toml"
    document = fill(_read(path), site.model_dump())
    records = document.get("zone", {}).get("records", []) if isinstance(document.get("zone"), dict) else []
    if records:
        document["zone"]["records"] = [each for each in records if each.get("values") != []]
    environment = _checked(Environment, document, path)
    if environment.name != name:
        raise InvalidInput(msg("{file} describes {name}.", file=path.name, name=environment.name))
    return environment


def environments(folder: Path = ENVIRONMENTS) -> list[str]:
    """The names of the environments that are described."""
    return sorted(path.stem for path in folder.glob("*.toml"))


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except FileNotFoundError as error:
        raise NotFound(
            msg("There is no {file}.", file=path),
            hint="deploy/hetzner/site.example.toml and deploy/hetzner/environments show what belongs there.",
        ) from error
    except ValueError as error:
        raise InvalidInput(msg("{file} can't be read: {reason}", file=path.name, reason=error)) from error


def _checked[T: BaseModel](model: type[T], document: Any, path: Path) -> T:
    try:
        return model.model_validate(document)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        reasons = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in found)
        raise InvalidInput(msg("{file} is not right: {reason}", file=path.name, reason=reasons)) from error
