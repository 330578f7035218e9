"""Full or an increment: what the next backup of PostgreSQL is to be, and what it builds on. Pure.

Increments are small and quick to take; a long chain of them is slow to restore and lost with any of its members. So
there is a full backup every week and whenever the chain has become long or an increment large.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from leitstand.backups.engines.interface import DIFFERENTIAL, FULL, INCREMENTAL
from leitstand.words import N_

LONGEST_CHAIN = 7
LARGEST_SHARE = 0.5
SUNDAY = 6


@dataclass(frozen=True)
class Taken:
    """A complete backup, as far as the choice of a level cares.

    Args:
        manifest: its manifest.
        at: when it was finished.
        sound: it was not found damaged.
        bytes: what is stored of it.
    """

    manifest: dict[str, Any]
    at: datetime
    sound: bool
    bytes: int

    @property
    def id(self) -> str:
        return str(self.manifest["id"])

    @property
    def parent_id(self) -> str:
        return str(self.manifest.get("parent_id") or "")


@dataclass(frozen=True)
class Choice:
    """What to take, why, and the manifests that it builds on, the full one first."""

    level: str
    reason: str
    chain: tuple[dict[str, Any], ...] = ()


def choose(taken: Iterable[Taken], now: datetime, *, engine: str, asked: str = "") -> Choice:
    """Decide on the next backup.

    Args:
        taken: every complete backup of PostgreSQL.
        now: instant with its offset; weeks begin on Sundays, UTC.
        engine: who takes it, as manifests name it: no engine builds on another's backups.
        asked: the level that a person wants; empty: as the rules say.
    """
    if asked == FULL:
        return Choice(FULL, N_("asked for"))
    known = {one.id: one for one in taken}
    newest = max(known.values(), key=lambda one: (one.at, one.id), default=None)
    chain = _chain(known, newest) if newest else []
    reason = _unfit(chain, newest, engine) or ("" if asked else _due(chain, now.astimezone(UTC)))
    if reason:
        return Choice(FULL, reason)
    wanted = chain[:1] if asked == DIFFERENTIAL else chain
    reason = N_("asked for") if asked else N_("the full backup is of this week")
    return Choice(asked or INCREMENTAL, reason, tuple(one.manifest for one in wanted))


def _unfit(chain: Sequence[Taken], newest: Taken | None, engine: str) -> str:
    """Why nothing can build on this chain; empty when an increment can."""
    if newest is None:
        return N_("there is no backup to build on")
    if not chain:
        return f"what backup {newest.id} builds on is gone"
    if any(one.manifest.get("engine") != engine for one in chain):
        return N_("the backup before was taken by another engine")
    damaged = [one.id for one in chain if not one.sound]
    return f"backup {damaged[0]} is damaged" if damaged else ""


def _chain(known: dict[str, Taken], newest: Taken) -> list[Taken]:
    """The newest backup and all that it builds on, the full one first; empty where a part of it is gone."""
    chain = [newest]
    while chain[0].parent_id:
        parent = known.get(chain[0].parent_id)
        if parent is None or parent in chain:
            return []
        chain.insert(0, parent)
    return chain


def _due(chain: Sequence[Taken], now: datetime) -> str:
    """Why a full backup is due; empty when none is."""
    full, last = chain[0], chain[-1]
    if full.at < _week_began(now):
        return N_("a full one each week")
    if len(chain) >= LONGEST_CHAIN:
        return f"the chain has {len(chain)} backups"
    if last is not full and last.bytes > full.bytes * LARGEST_SHARE:
        return N_("the last increment was more than half of a full one")
    return ""


def _week_began(now: datetime) -> datetime:
    """The last midnight between Saturday and Sunday."""
    days = (now.weekday() - SUNDAY) % 7
    return now.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=days)
