"""What makes a plan of retention suspicious: nobody but a person who has seen it may carry it out then. Pure.

The usual reason is a clock. One that jumps ahead makes every backup old, and the backup that is taken next makes the
jump look true; but it leaves a hole before that backup, and the plan wants to remove much at once. A steady schedule
does neither: it removes a few backups a day.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby, pairwise

from leitstand.backups.condition import written
from leitstand.backups.retention import COMPLETE, MISSING, Entry, Plan, Policy
from leitstand.words import msg

AHEAD = timedelta(minutes=5)
LONGEST_HOLE = timedelta(days=3)
LONGEST_HOLES = {"dump": timedelta(days=15)}  # taken weekly
FEW = 3
MOST_SHARE = 1 / 3


@dataclass(frozen=True)
class Caution:
    """One suspicion: its name, and a sentence for people."""

    name: str
    says: str


def cautions(plan: Plan, entries: Iterable[Entry], policy: Policy | None = None) -> tuple[Caution, ...]:
    """What is suspicious about a plan for these entries; empty when it may be carried out unattended."""
    found: list[Caution] = []
    ordered = sorted(entries, key=lambda entry: (entry.kind, entry.at, entry.id))
    window = (policy or Policy()).window
    for kind, group in groupby(ordered, key=lambda entry: entry.kind):
        known = [entry for entry in group if entry.status in (COMPLETE, MISSING)]
        going = [one for one in plan.removed if one.kind == kind and "removing" not in one.classes]
        if not going and not any(entry.archive for entry in known):
            continue  # nothing of it goes, not even log
        judged = (
            _ahead(known, plan.now),
            _hole(kind, known, plan.now, window),
            _much(kind, len(going), len(known)),
            _missing(kind, known, plan.now - window),
        )
        found += [caution for caution in judged if caution]
    return tuple(found)


def _ahead(known: list[Entry], now: datetime) -> Caution | None:
    newest = max((entry.at for entry in known), default=now)
    if newest <= now + AHEAD:
        return None
    says = msg(
        "The newest backup of {kind} is dated {dated}, and the clock says {now}.",
        kind=known[0].kind,
        dated=written(newest),
        now=written(now),
    )
    return Caution("clock-behind", says)


def _hole(kind: str, known: list[Entry], now: datetime, window: timedelta) -> Caution | None:
    """A hole in the window, where something lies before it; without that nothing could be lost."""
    instants = [entry.at for entry in known if entry.at <= now]
    before = [at for at in instants if at <= now - window]
    if not before:
        return None
    marks = [max(before), *(at for at in instants if at > now - window), now]
    for sooner, later in pairwise(marks):
        if later - sooner > LONGEST_HOLES.get(kind, LONGEST_HOLE):
            says = msg(
                "There is no backup of {kind} between {sooner} and {later}: either backups were blocked, or the clock has jumped.",
                kind=kind,
                sooner=written(sooner),
                later=written(later),
            )
            return Caution("hole", says)
    return None


def _much(kind: str, going: int, known: int) -> Caution | None:
    if going <= max(FEW, known * MOST_SHARE):
        return None
    return Caution(
        "much",
        msg("{going} of {known} backups of {kind} would go at once.", going=going, known=known, kind=kind),
    )


def _missing(kind: str, known: list[Entry], since: datetime) -> Caution | None:
    missing = [entry for entry in known if entry.status == MISSING and entry.at > since]
    if not missing:
        return None
    says = msg(
        "{count} newer backups of {kind} are missing from the store: find out why before more goes.",
        count=len(missing),
        kind=kind,
    )
    return Caution("missing", says)
