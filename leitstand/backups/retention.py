"""Which backups stay, which go, and why: a pure function of the catalogue, an instant and the policy.

It knows no database and no store, so that every promise about it can be tried out on any catalogue:

- What is not wanted at one instant is not wanted at any later one: a removal is never regretted.
- The last proven backup of a kind, all that is newer, and the log since then stay; where none was ever proven, all stays.
- What something that stays needs (its parents, its log) stays, and so does what is marked, in use, running or not ours.

Days, weeks and months are those of UTC, so that a change of clocks makes none of them longer or shorter. Of a period
the newest proven backup stays, or, where none was proven, the newest; a period without a backup does not count.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any

from leitstand.words import N_, Message, joined, msg

RUNNING, COMPLETE, MISSING, REMOVING = "running", "complete", "missing", "removing"
JUDGED = (RUNNING, COMPLETE, REMOVING)
TIMELINE_DIGITS, NAME_DIGITS = 8, 24
DRILLED, VERIFIED, UNPROVEN, DAMAGED = 2, 1, 0, -1


@dataclass(frozen=True)
class Policy:
    """What is promised.

    Args:
        window: every second of it can be restored, and every backup in it stays.
        daily, weekly, monthly: how many of the newest periods that have a backup keep one.
    """

    window: timedelta = timedelta(days=14)
    daily: int = 7
    weekly: int = 4
    monthly: int = 12


@dataclass(frozen=True)
class Entry:
    """A backup of the catalogue, as far as retention cares.

    Args:
        status: running, complete, missing (its objects are gone) or removing; others are not judged.
        finished_at: None while it runs.
        parent_id: the backup that it is an increment of; empty for a full one.
        proven_at: when a drill restored it.
        verified: what its last verification found; None where there was none.
        kept: a person has marked it; pinned: a restore uses it.
        ours: it lies in our bucket under a prefix that ends with its id.
        archive: system identifier of the cluster whose log it needs; empty without a log.
        first_position, last_position: the segments that it begins and ends in, without their timeline (16 digits).
    """

    id: str
    kind: str
    status: str
    started_at: datetime
    finished_at: datetime | None = None
    parent_id: str = ""
    proven_at: datetime | None = None
    verified: bool | None = None
    kept: bool = False
    pinned: bool = False
    ours: bool = True
    archive: str = ""
    first_position: str = ""
    last_position: str = ""

    @property
    def at(self) -> datetime:
        """The instant that it stands for, in UTC."""
        return (self.finished_at or self.started_at).astimezone(UTC)

    @property
    def proof(self) -> int:
        """How far it is proven: restored by a drill, verified, neither, or found damaged."""
        if self.verified is False:
            return DAMAGED
        return DRILLED if self.proven_at else VERIFIED if self.verified else UNPROVEN


@dataclass(frozen=True)
class Reason:
    """Why a backup stays or goes: the name of its class (`window`, `daily`, …) and a sentence's worth of words."""

    name: str
    words: str


@dataclass(frozen=True)
class Verdict:
    """What becomes of one backup."""

    id: str
    kind: str
    at: datetime
    keep: bool
    reasons: tuple[Reason, ...]

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of its reasons, as `retention class`."""
        return tuple(reason.name for reason in self.reasons)

    @property
    def words(self) -> str:
        """Its reasons in words."""
        return joined(*(reason.words for reason in self.reasons), between="; ")

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "id": self.id,
            "kind": self.kind,
            "at": self.at.isoformat(),
            "keep": self.keep,
            "classes": list(self.classes),
            "why": self.words,
        }


@dataclass(frozen=True)
class LogNeed:
    """Which archived log of one cluster stays.

    Args:
        archive: its system identifier.
        keep_from: position from which on everything stays; empty where only the ranges do.
        ranges: first and last positions of backups that are only ever restored to their own end.
    """

    archive: str
    keep_from: str
    ranges: tuple[tuple[str, str], ...] = ()

    def needs(self, name: str) -> bool:
        """Whether an archived file of this name stays. Timelines are not told apart, which keeps too much, never too little."""
        position = name[TIMELINE_DIGITS:NAME_DIGITS]
        if len(position) < NAME_DIGITS - TIMELINE_DIGITS:  # a timeline's history
            return True
        if self.keep_from and position >= self.keep_from:
            return True
        return any(first <= position <= last for first, last in self.ranges)


@dataclass(frozen=True)
class Plan:
    """What becomes of every backup, in the order in which backups go, and of the archived log."""

    now: datetime
    verdicts: tuple[Verdict, ...]
    logs: tuple[LogNeed, ...]

    @property
    def removed(self) -> tuple[Verdict, ...]:
        """The backups that go, increments before their parents."""
        return tuple(verdict for verdict in self.verdicts if not verdict.keep)

    def has_log_since(self, entry: Entry) -> bool:
        """Whether everything that was archived since a backup began stays."""
        since = next((need.keep_from for need in self.logs if need.archive == entry.archive), "")
        return bool(since and entry.first_position) and entry.first_position >= since

    @property
    def sha256(self) -> str:
        """Hash of what would be done; equal plans of different moments have the same."""
        content = [sorted(verdict.id for verdict in self.removed), [asdict(need) for need in self.logs]]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "now": self.now.isoformat(),
            "sha256": self.sha256,
            "backups": [verdict.to_dict() for verdict in self.verdicts],
            "log": [asdict(need) for need in self.logs],
        }


def plan(entries: Iterable[Entry], now: datetime, policy: Policy | None = None) -> Plan:
    """Judge every backup of the catalogue.

    Args:
        entries: of any kinds, in any order.
        now: instant with its offset.
    """
    judge = _Judge(entries, now.astimezone(UTC), policy or Policy())
    return judge.plan()


@dataclass
class _Judge:
    entries: Iterable[Entry]
    now: datetime
    policy: Policy
    reasons: dict[str, list[Reason]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        ordered = sorted(self.entries, key=lambda entry: (entry.kind, entry.at, entry.id))
        self.all = {entry.id: entry for entry in ordered}
        self.cutoff = self.now - self.policy.window
        self.continuous: set[str] = set()

    def plan(self) -> Plan:
        for kind, group in groupby(self.all.values(), key=lambda entry: entry.kind):
            self._judge_kind(kind, list(group))
        kept = self._with_parents()
        judged = [entry for entry in self.all.values() if entry.status in JUDGED]
        verdicts = [self._verdict(entry, entry.id in kept) for entry in reversed(judged)]
        return Plan(self.now, tuple(verdicts), self._logs(kept))

    def _judge_kind(self, kind: str, entries: list[Entry]) -> None:
        usable = [entry for entry in entries if self._is_usable(entry) and entry.at <= self.now]
        for entry in entries:
            self._protect(entry)
        self._protect_proven(kind, entries, usable)
        sound = [entry for entry in usable if entry.proof != DAMAGED]
        self._protect_anchor([entry for entry in sound if entry.at <= self.cutoff] or usable)
        for says, count, period in PERIODS:
            found = _representatives(sound, period)
            for label, entry in found[max(0, len(found) - getattr(self.policy, count)) :]:
                self._keep(entry, count, Message(says, {"label": label}))

    def _protect_anchor(self, candidates: list[Entry]) -> None:
        """The newest backup from before the window: its first seconds are restored from that one."""
        before = [entry for entry in candidates if entry.at <= self.cutoff]
        if anchor := max(before, key=_age, default=None):
            self._keep(
                anchor, "window", msg("the oldest seconds of {window} start from it", window=self._window())
            )
            self.continuous.add(anchor.id)

    def _protect(self, entry: Entry) -> None:
        """What stays whatever its age."""
        if entry.status == RUNNING:
            self._keep(entry, "running", N_("it is being taken"))
        if entry.status not in (COMPLETE, MISSING):
            return
        if entry.at > self.cutoff:
            future = entry.at > self.now
            self._keep(
                entry,
                "window",
                N_("dated in the future") if future else msg("within {window}", window=self._window()),
            )
            self.continuous.add(entry.id)
        if entry.kept:
            self._keep(entry, "kept", N_("marked as kept"))
        if entry.pinned:
            self._keep(entry, "in-use", N_("a restore uses it"))
            self.continuous.add(entry.id)
        if not entry.ours:
            self._keep(entry, "foreign", N_("it does not lie under our prefix"))

    def _protect_proven(self, kind: str, entries: list[Entry], usable: list[Entry]) -> None:
        """The last proven one and all that is newer; a drill proves more than a verification."""
        grades = [entry.proof for entry in usable if entry.proof > UNPROVEN]
        last = max(
            (entry for entry in usable if grades and entry.proof == max(grades)), key=_age, default=None
        )
        for entry in entries:
            if entry.status not in (COMPLETE, MISSING):
                continue
            if last is None:
                self._keep(entry, "unproven", msg("no backup of {kind} has been proven yet", kind=kind))
            elif entry.id == last.id:
                self._keep(entry, "proven", N_("the last proven one"))
            elif _age(entry) > _age(last):
                self._keep(entry, "newer", N_("newer than the last proven one"))
            else:
                continue
            self.continuous.add(entry.id)

    def _is_usable(self, entry: Entry) -> bool:
        """Complete, and so is everything that it is an increment of."""
        seen: set[str] = set()
        while entry.status == COMPLETE and entry.parent_id:
            seen.add(entry.id)
            parent = self.all.get(entry.parent_id)
            if parent is None or parent.id in seen:
                return False
            entry = parent
        return entry.status == COMPLETE

    def _keep(self, entry: Entry, name: str, words: str) -> None:
        self.reasons[entry.id].append(Reason(name, words))

    def _window(self) -> Message:
        return msg("the last {days:g} days", days=self.policy.window / timedelta(days=1))

    def _with_parents(self) -> set[str]:
        """Ids of what stays: what has a reason, and what that is an increment of."""
        kept = set(self.reasons)
        for identifier in list(kept):
            child = self.all[identifier]
            while (parent := self.all.get(child.parent_id)) and parent.status in (COMPLETE, MISSING):
                reason = Reason("parent", msg("{id} is an increment of it", id=child.id))
                if reason in self.reasons[parent.id]:
                    break
                self.reasons[parent.id].append(reason)
                kept.add(parent.id)
                child = parent
        return kept

    def _verdict(self, entry: Entry, keep: bool) -> Verdict:
        reasons = tuple(self.reasons.get(entry.id, ()))
        if not keep:
            begun = entry.status == REMOVING
            words = (
                N_("its removal has begun")
                if begun
                else msg("older than {window} and stands for no period", window=self._window())
            )
            reasons = (Reason("removing" if begun else "expired", words),)
        return Verdict(entry.id, entry.kind, entry.at, keep, reasons)

    def _logs(self, kept: set[str]) -> tuple[LogNeed, ...]:
        needs = []
        with_log = sorted(
            (entry for entry in self.all.values() if entry.archive and entry.id in kept),
            key=lambda entry: entry.archive,
        )
        for archive, group in groupby(with_log, key=lambda entry: entry.archive):
            members = [entry for entry in group if entry.first_position]
            starts = [entry.first_position for entry in members if entry.id in self.continuous]
            ranges = {
                (entry.first_position, entry.last_position or entry.first_position) for entry in members
            }
            keep_from = min(starts, default="")
            older = (pair for pair in ranges if not keep_from or pair[0] < keep_from)
            if members:
                needs.append(LogNeed(archive, keep_from, tuple(sorted(older))))
        return tuple(needs)


def _age(entry: Entry) -> tuple[datetime, str]:
    return entry.at, entry.id


def _day(at: datetime) -> str:
    return f"{at:%Y-%m-%d}"


def _week(at: datetime) -> str:
    year, week, _ = at.isocalendar()
    return f"{year}-W{week:02d}"


def _month(at: datetime) -> str:
    return f"{at:%Y-%m}"


PERIODS: tuple[tuple[str, str, Callable[[datetime], str]], ...] = (
    (N_("stands for the day {label}"), "daily", _day),
    (N_("stands for the week {label}"), "weekly", _week),
    (N_("stands for the month {label}"), "monthly", _month),
)


def _representatives(entries: list[Entry], period: Callable[[datetime], str]) -> list[tuple[str, Entry]]:
    """The backup that stands for each period, oldest period first."""
    by_period: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        by_period[period(entry.at)].append(entry)
    return [
        (label, max(by_period[label], key=lambda entry: (entry.proof > UNPROVEN, _age(entry))))
        for label in sorted(by_period)
    ]
