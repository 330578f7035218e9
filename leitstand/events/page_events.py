"""Events from web pages of others: sent by the browser snippet, without a token, about one published companion.

Nobody vouches for them: they say only what happened in a run of their own, the server says who and about what, and one that
is older than 24 hours is refused. Their ids lie near to now, so that nobody can have months made at will.
"""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy.orm import Session

from leitstand.db.ids import milliseconds_of
from leitstand.errors import InvalidInput, TooLarge
from leitstand.events import agents
from leitstand.events.intake import TOO_DEEP, Batch, Given, take_in_for, written
from leitstand.events.ledger import OLDEST_UNTRUSTED
from leitstand.words import msg

SOURCE = "snippet"
MOST = 20
MEMBERS = frozenset(("event_id", "kind", "run_key", "step", "seq", "occurred_at"))
# Runs of pages are never those of another source, whatever name a page gives them.
RUNS = "web-"


def read(body: bytes) -> tuple[str, list[Any]]:
    """The visitor's random id and the events of a body as the snippet sends it.

    Raises:
        InvalidInput: it is not what the snippet sends.
        TooLarge: it has too many events.
    """
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict) or set(found) != {"visitor", "events"}:
        raise InvalidInput("This is not what the snippet sends.", hint="Load leitstand.js afresh.")
    visitor, events = found["visitor"], found["events"]
    if not isinstance(visitor, str) or not isinstance(events, list):
        raise InvalidInput("This is not what the snippet sends.", hint="Load leitstand.js afresh.")
    if len(events) > MOST:
        raise TooLarge(msg("A page sends at most {most} events at once.", most=MOST))
    return visitor, events


def take(
    session: Session,
    *,
    workspace_id: UUID,
    companion_id: UUID,
    actor_key: str,
    events: list[Any],
    user_agent: str,
) -> Batch:
    """Take a page's events into the ledger, in the caller's transaction, and answer each."""
    now = datetime.now(UTC)
    kind = "bot" if agents.is_bot(user_agent) else "visitor"
    known = {"companion": str(companion_id), "actor_key": actor_key, "actor_kind": kind}
    given = [_given(event, known, now) for event in events]
    return take_in_for(session, workspace_id=workspace_id, events=given, source=SOURCE, trusted=False)


def _given(event: Any, known: dict[str, str], now: datetime) -> Given:
    """The event as a program would send it, with what the server knows of it."""
    if not isinstance(event, dict):
        return Given(written(event), None, "not a JSON object")
    members = event | known
    run = event.get("run_key")
    if isinstance(run, str) and run:
        members["run_key"] = RUNS + run
    raw = written(members)
    if not raw:
        return Given(raw, None, TOO_DEEP)
    unknown = sorted(event.keys() - MEMBERS)
    if unknown:
        return Given(raw, None, f"a page says nothing of {unknown[0][:80]!r}")
    if not _near(event.get("event_id"), now):
        return Given(raw, None, "event_id is not a UUIDv7 of the last 24 hours")
    return Given(raw, members)


def _near(event_id: object, now: datetime) -> bool:
    try:
        found = UUID(event_id) if isinstance(event_id, str) else None
    except ValueError:
        return False
    if found is None or found.version != 7:
        return False
    away = timedelta(milliseconds=abs((found.int >> 80) - milliseconds_of(now)))
    return away <= OLDEST_UNTRUSTED
