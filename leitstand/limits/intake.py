"""The monthly limit of events: what arrives beyond it is refused with a reason and kept, to be sent once more.

Intake must stay fast, so that a process counts for itself between two looks at the database. What several processes
take in meanwhile, and people who notice late, are what the grace is for.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy.orm import Session

from leitstand.limits.counting import month_start, used, zone_of
from leitstand.limits.room import limits_of
from leitstand.words import msg

GRACE_PERCENT = 10
KEPT_SECONDS = 10.0


@dataclass
class Room:
    """What is left of a month in this process's eyes, until it looks again."""

    until: float
    start: datetime
    limit: int
    left: int


_rooms: dict[UUID, Room] = {}


def within_plan(session: Session, workspace_id: UUID, instants: Sequence[datetime]) -> list[str]:
    """For each event the reason why the plan has no room for it; empty where it has.

    Args:
        instants: when the events occurred. Those before the running month are taken whatever the plan.
    """
    limit = limits_of(session, workspace_id).events_a_month
    if limit is None or not instants:
        return [""] * len(instants)
    room = _room(session, workspace_id, limit)
    reasons = []
    for instant in instants:
        if instant < room.start or room.left > 0:
            room.left -= instant >= room.start
            reasons.append("")
        else:
            reasons.append(
                msg(
                    "the plan's {limit:,} events a month are used up, and the grace of {grace} %",
                    limit=limit,
                    grace=GRACE_PERCENT,
                )
            )
    return reasons


def allowed(limit: int) -> int:
    """How many events of a month are taken in, with the grace."""
    return limit + limit * GRACE_PERCENT // 100


def _room(session: Session, workspace_id: UUID, limit: int) -> Room:
    kept = _rooms.get(workspace_id)
    if kept is None or kept.until <= time.monotonic() or kept.limit != limit:
        start = month_start(zone_of(session, workspace_id), datetime.now(UTC))
        left = allowed(limit) - used(session, workspace_id, "events_a_month")
        kept = Room(time.monotonic() + KEPT_SECONDS, start, limit, left)
        _rooms[workspace_id] = kept
    return kept
