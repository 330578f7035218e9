"""Refused events sent once more, after what they were refused for has been mended."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import select
from sqlalchemy.orm import Session

from leitstand.db.models import EventRefusal
from leitstand.errors import NotFound
from leitstand.events.instants import parse_instant
from leitstand.events.intake import Answered, Given, answer
from leitstand.events.ledger import OLDEST_UNTRUSTED, Verdict
from leitstand.events.refusals import Filters, matching
from leitstand.identity import audit
from leitstand.identity.access import Principal, require
from leitstand.words import N_, msg

MOST = 1_000
# Sources that nobody vouches for: what was too old when it came is too old for good.
UNTRUSTED = ("snippet",)
NOT_WHOLE = N_("only a part of it was kept, so it can't be sent again")
OF_A_FILE = N_("it stood in a file: mend the file and import it again, which adds what is not there yet")
TOO_OLD = N_("it was older than 24 hours when it came, and its source is not authenticated")


@dataclass(frozen=True)
class Replayed:
    """What became of one refusal."""

    id: int
    outcome: str
    reason: str = ""

    def to_dict(self) -> dict[str, Any]:
        found: dict[str, Any] = {"id": self.id, "outcome": self.outcome}
        return found | {"reason": self.reason} if self.reason else found


@dataclass(frozen=True)
class Replay:
    """What became of some refusals, and behind which one to go on; None: there are no more."""

    items: list[Replayed]
    next: int | None = None

    def counts(self) -> dict[str, int]:
        """How many have which outcome."""
        found = Counter(item.outcome for item in self.items)
        return {verdict.value: found[verdict.value] for verdict in Verdict}

    def to_dict(self) -> dict[str, Any]:
        return self.counts() | {"items": [item.to_dict() for item in self.items], "next": self.next}


def replay(session: Session, *, principal: Principal, ids: Sequence[int]) -> Replay:
    """Send these refused events once more: each becomes accepted or a duplicate, or stays refused with a new reason.

    Args:
        ids: at most `MOST`. One that was taken meanwhile keeps its outcome.

    Raises:
        Forbidden: without `events:write`.
        NotFound: the workspace has no such refusal.
    """
    require(principal, "events:write")
    whole = select(EventRefusal).where(
        EventRefusal.workspace_id == principal.workspace_id, EventRefusal.id.in_(ids[:MOST])
    )
    rows = list(session.scalars(whole.order_by(EventRefusal.id).with_for_update()))
    missing = sorted(set(ids) - {row.id for row in rows})
    if missing:
        raise NotFound(
            msg("There is no refused event {missing}.", missing=missing[0]),
            hint="`leitstand events refusals` shows those there are.",
        )
    return Replay(_replayed(session, principal, rows))


def replay_matching(
    session: Session, *, principal: Principal, filters: Filters, after: int = 0, limit: int = MOST
) -> Replay:
    """Send once more what is still refused, was kept whole and matches, in the order in which it came.

    Args:
        filters: their outcome is not asked: what was taken is not sent again.
        after: the refusal behind which to go on.

    Raises:
        Forbidden: without `events:write`.
    """
    require(principal, "events:write")
    which = matching(principal.workspace_id, replace(filters, outcome="refused"))
    open_ = select(EventRefusal).where(*which, EventRefusal.whole, EventRefusal.id > after)
    rows = list(session.scalars(open_.order_by(EventRefusal.id).limit(limit).with_for_update()))
    items = _replayed(session, principal, rows)
    return Replay(items, rows[-1].id if len(rows) == limit else None)


def _replayed(session: Session, principal: Principal, rows: list[EventRefusal]) -> list[Replayed]:
    results = {row.id: _unfit(row) for row in rows}
    fit = [row for row in rows if results[row.id] is None]
    for source in sorted({row.source for row in fit}):
        again = [row for row in fit if row.source == source]
        events = [_given(row) for row in again]
        answers = answer(session, workspace_id=principal.workspace_id, events=events, source=source)
        for row, answered in zip(again, answers, strict=True):
            results[row.id] = _noted(row, answered)
    done = Replay([found for found in results.values() if found is not None])
    if fit:
        audit.record(session, principal=principal, action="event.replay", after=done.counts())
    return done.items


def _unfit(row: EventRefusal) -> Replayed | None:
    """The result of a refusal that is not sent again; None for one that is."""
    if row.outcome != "refused":
        return Replayed(row.id, row.outcome)
    if row.import_id is not None:
        return Replayed(row.id, row.outcome, OF_A_FILE)
    if not row.whole:
        return Replayed(row.id, row.outcome, NOT_WHOLE)
    return Replayed(row.id, row.outcome, TOO_OLD) if row.source in UNTRUSTED and _was_old(row) else None


def _was_old(row: EventRefusal) -> bool:
    at = orjson.loads(row.raw).get("occurred_at")
    try:
        return isinstance(at, str) and parse_instant(at) < row.at - OLDEST_UNTRUSTED
    except ValueError:
        return False


def _given(row: EventRefusal) -> Given:
    return Given(row.raw.encode(), orjson.loads(row.raw))


def _noted(row: EventRefusal, answered: Answered) -> Replayed:
    row.outcome, row.replayed_at = answered.verdict.value, datetime.now(UTC)
    if answered.reason:
        row.reason = answered.reason
    return Replayed(row.id, row.outcome, answered.reason)
