"""What making an environment as described would do, and doing it: one part after the other, each looked at before."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from leitstand.errors import Conflict
from leitstand.hetzner.buckets import BucketPart
from leitstand.hetzner.cloud import KINDS, LABEL, Cloud
from leitstand.hetzner.description import Environment, Site
from leitstand.hetzner.hosts import Server, Volume
from leitstand.hetzner.names import Records, Zone
from leitstand.hetzner.networking import Firewall, PlacementGroup, PrimaryIp, PrivateNetwork, SshKey
from leitstand.hetzner.parts import Change, Look, Part
from leitstand.storage.objects import ObjectStorage
from leitstand.words import msg

type Verdict = Literal["make", "change", "keep", "refuse"]
type Told = Callable[[str], None]
# A part is right after this many changes and looks, or never.
MOST_CHANGES = 20
HOLDING_DATA = frozenset({"servers", "volumes", "primary_ips", "zones"})


class Piece(Protocol):
    """A part of an environment, wherever it is kept."""

    name: str

    @property
    def title(self) -> str: ...
    def look(self) -> Look: ...
    def make(self) -> None: ...


@dataclass(frozen=True)
class Step:
    """What would happen to one part."""

    verdict: Verdict
    title: str
    name: str
    reasons: tuple[str, ...]
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, object]:
        """As JSON."""
        return {
            "verdict": self.verdict,
            "kind": self.title,
            "name": self.name,
            "reasons": list(self.reasons),
            "notes": list(self.notes),
        }


@dataclass(frozen=True)
class Plan:
    """Every part in the order in which they are made, and what is there and not described."""

    environment: str
    steps: tuple[Step, ...]
    left_over: tuple[tuple[str, str], ...]

    def of(self, verdict: Verdict) -> tuple[Step, ...]:
        """The steps of one verdict."""
        return tuple(step for step in self.steps if step.verdict == verdict)

    @property
    def nothing_to_do(self) -> bool:
        """Whether all is as described."""
        return len(self.of("keep")) == len(self.steps)

    def to_dict(self) -> dict[str, object]:
        """As JSON."""
        return {
            "environment": self.environment,
            "steps": [step.to_dict() for step in self.steps],
            "left_over": [{"kind": kind, "name": name} for kind, name in self.left_over],
        }


@dataclass(frozen=True)
class Target:
    """An environment, the project it is made in, and its object storage; None where it has nothing there."""

    environment: Environment
    site: Site
    cloud: Cloud | None
    storage: ObjectStorage | None

    def pieces(self) -> Iterator[Piece]:
        """Every part, each after those it needs."""
        if self.cloud is not None:
            yield from self._in_the_cloud(self.cloud)
        if self.storage is not None:
            for bucket in self.environment.buckets:
                yield BucketPart(self.storage, self.environment, bucket)

    def _in_the_cloud(self, cloud: Cloud) -> Iterator[Part]:
        wanted = self.environment
        yield from (SshKey(cloud, wanted, each) for each in wanted.ssh_keys)
        if wanted.network:
            yield PrivateNetwork(cloud, wanted, wanted.network)
        yield from (PlacementGroup(cloud, wanted, each) for each in wanted.placement_groups)
        yield from (Firewall(cloud, wanted, each) for each in wanted.firewalls)
        yield from (PrimaryIp(cloud, wanted, each) for each in wanted.primary_ips)
        yield from (Volume(cloud, wanted, each) for each in wanted.volumes)
        yield from (Server(cloud, wanted, each, self.site) for each in wanted.servers)
        if wanted.zone:
            yield Zone(cloud, wanted, wanted.zone)
            yield from (Records(cloud, wanted, wanted.zone, each) for each in wanted.zone.records)


def plan(target: Target) -> Plan:
    """What `apply` would do. Asks, and changes nothing."""
    steps = tuple(_step(piece) for piece in target.pieces())
    return Plan(target.environment.name, steps, tuple(_left_over(target)))


def _step(piece: Piece) -> Step:
    look = piece.look()
    verdict: Verdict = "keep"
    reasons: Sequence[str] = ()
    if look.refusals:
        verdict, reasons = "refuse", look.refusals
    elif not look.there:
        verdict = "make"
    elif look.changes:
        verdict, reasons = "change", [change.sentence for change in look.changes]
    return Step(verdict, piece.title, piece.name, tuple(reasons), tuple(look.notes))


def _left_over(target: Target) -> Iterator[tuple[str, str]]:
    """What bears the environment's label and is not described: it goes on costing, and a person decides."""
    if target.cloud is None:
        return
    described = {(piece.kind, piece.name) for piece in target.pieces() if isinstance(piece, Part)}
    for kind in KINDS:
        for name, thing in target.cloud.all(kind).items():
            if (thing.labels or {}).get(LABEL) == target.environment.name and (kind, name) not in described:
                yield kind, name


def apply(target: Target, *, told: Told = lambda line: None) -> Plan:
    """Make the environment as described; ended at any moment, the same call goes on. Gives what was done.

    Nothing is deleted, ever. Nothing at all is done while one part is refused.

    Raises:
        Conflict: a part is refused.
        LeitstandError: Hetzner or the store did not do it, after retries.
    """
    if target.cloud is not None:
        target.cloud.settle()
        target.cloud.forget()
    first = plan(target)
    if refused := first.of("refuse"):
        worst = refused[0]
        raise Conflict(
            msg(
                "{kind} {name} is refused: {reason}",
                kind=worst.title,
                name=worst.name,
                reason=worst.reasons[0],
            ),
            hint="`leitstand hetzner plan` shows every refusal; nothing was changed.",
        )
    for piece in target.pieces():
        _apply(piece, target.cloud, told)
    return first


def _apply(piece: Piece, cloud: Cloud | None, told: Told) -> None:
    """Look, do one thing, look again, until it is as described."""
    for _ in range(MOST_CHANGES):
        done = cloud.patiently(lambda: _do_one(piece)) if cloud is not None else _do_one(piece)
        if done is None:
            return
        if cloud is not None:
            cloud.forget()
        told(msg("{kind} {name}: {what}", kind=piece.title, name=piece.name, what=done))
    raise Conflict(msg("{kind} {name} does not become as described.", kind=piece.title, name=piece.name))


def _do_one(piece: Piece) -> str | None:
    look = piece.look()
    if look.refusals:
        raise Conflict(
            msg(
                "{kind} {name} is refused: {reason}",
                kind=piece.title,
                name=piece.name,
                reason=look.refusals[0],
            )
        )
    if not look.there:
        piece.make()
        return msg("made")
    if look.changes:
        change: Change = look.changes[0]
        change.do()
        return change.sentence
    return None


@dataclass(frozen=True)
class Fate:
    """What would become of one thing if the environment were given up."""

    title: str
    name: str
    holds_data: bool
    protected: bool


def destroy_plan(target: Target) -> list[Fate]:
    """What giving the environment up would mean, last made first. It is a list to decide by: nothing here deletes."""
    fates = []
    if target.storage is not None:
        for piece in target.pieces():
            if isinstance(piece, BucketPart) and piece.look().there:
                fates.append(Fate(piece.title, piece.name, holds_data=True, protected=False))
    for kind in reversed(KINDS) if target.cloud is not None else ():
        for name, thing in target.cloud.all(kind).items():  # type: ignore[union-attr]  # not None: see above
            if (thing.labels or {}).get(LABEL) == target.environment.name:
                fates.append(Fate(kind, name, kind in HOLDING_DATA, _protected(thing)))
    return fates


def _protected(thing: Any) -> bool:
    return bool((getattr(thing, "protection", None) or {}).get("delete"))
