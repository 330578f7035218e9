"""The one way by which events come in from our own services: each taken once, with its facts."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Literal
from uuid import UUID

import orjson
from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from leitstand.db.engine import driver_cursor
from leitstand.db.models import Item
from leitstand.db.row_security import beyond
from leitstand.events import refusals
from leitstand.events.archive.known import archived_of
from leitstand.events.few import FEW, take_few
from leitstand.events.instants import EARLIEST, LATEST
from leitstand.events.partitions import ensure_partitions_within
from leitstand.events.rows import CLAMPED, LONGEST_KEY, NUL, content_hash
from leitstand.events.writer import COLUMNS, Origin, copy_line, take
from leitstand.words import N_, msg

Kind = Literal["viewed", "answered", "completed", "judged"]
# An event without proof of where it comes from may not change what was reported long ago.
OLDEST_UNTRUSTED = timedelta(hours=24)
# Text without anything that COPY has a meaning for.
PLAIN = re.compile(r"[^\\\t\n\r]*").fullmatch
COMPANIONS = select(Item.id).where(
    Item.workspace_id == bindparam("workspace"),
    Item.kind == "companion",
    Item.id.in_(bindparam("wanted", expanding=True)),
)
CONFLICT = N_("another event has this event_id")


@dataclass(frozen=True)
class IncomingEvent:
    """An event as a source of ours sends it.

    Args:
        event_id: a UUIDv7; sending it again with the same content changes nothing.
        kind: `viewed` (the run was loaded), `answered` (a step got its answer), `completed` (an end step was reached),
            `judged` (somebody said whether an answer helped; its actor is of another kind, so that no figure counts it).
        run_key: the run's name, unique within its companion.
        step: the step that was answered or reached; empty for a view as such.
        actor_key: who acted; None if unknown.
        actor_kind: visitor, member or external; any other kind (bot, preview) is kept and counts in no figure.
        seq: order within the run where times are equal.
        touched: what the event was about.
    """

    event_id: UUID
    kind: Kind
    companion_id: UUID
    run_key: str
    occurred_at: datetime
    step: str = ""
    actor_key: str | None = None
    actor_kind: str = "visitor"
    seq: int | None = None
    touched: str | None = None
    flow_version: int | None = None
    is_test: bool = False
    props: dict[str, Any] = field(default_factory=dict)


class Verdict(StrEnum):
    """What became of an event."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    REFUSED = "refused"


@dataclass(frozen=True)
class Outcome:
    """The answer to one event; `reason` says why it was refused."""

    event_id: UUID
    verdict: Verdict
    reason: str = ""


def record(
    session: Session,
    *,
    workspace_id: UUID,
    events: Sequence[IncomingEvent],
    source: str = "runtime",
    trusted: bool = True,
    companions: set[UUID] | None = None,
) -> list[Outcome]:
    """Take events into the ledger and merge them into the facts, in the caller's transaction.

    As `settle`, and what is refused is kept.
    """
    outcomes = settle(
        session,
        workspace_id=workspace_id,
        events=events,
        source=source,
        trusted=trusted,
        companions=companions,
    )
    refused = [
        refusals.Refused(outcome.reason, refusals.given(event))
        for event, outcome in zip(events, outcomes, strict=True)
        if outcome.verdict is Verdict.REFUSED
    ]
    refusals.keep(session, workspace_id=workspace_id, source=source, refused=refused)
    return outcomes


def settle(
    session: Session,
    *,
    workspace_id: UUID,
    events: Sequence[IncomingEvent],
    source: str,
    trusted: bool = True,
    companions: set[UUID] | None = None,
) -> list[Outcome]:
    """Take events into the ledger and merge them into the facts; the caller keeps what is refused.

    An event is taken once however often it is sent. One whose id was used for another content is refused, and so is a
    malformed one. A time in the future is set back to now and noted in the props.

    Args:
        trusted: whether the source is authenticated; else events older than 24 hours are refused.
        companions: those of the workspace, where the caller knows them; None: they are looked up.

    Returns:
        An outcome for each event, in order.
    """
    now = datetime.now(UTC)
    known = (
        companions
        if companions is not None
        else _companions(session, workspace_id, {event.companion_id for event in events})
    )
    outcomes: dict[int, Outcome] = {}
    hashes: dict[int, int] = {}
    for place, event in enumerate(events):
        reason = _flaw(event, known, None if trusted else now - OLDEST_UNTRUSTED)
        said = b"" if reason else content(event)
        if reason := reason or _content_flaw(said):
            outcomes[place] = Outcome(event.event_id, Verdict.REFUSED, reason)
        else:
            hashes[place] = content_hash(said)
    pending = [place for place in range(len(events)) if place not in outcomes]
    while pending:
        first = {events[place].event_id: place for place in reversed(pending)}
        batch = {place: events[place] for place in sorted(first.values())}
        outcomes |= _take(session, Origin(workspace_id, source, now), batch, hashes)
        repeats = {place: first[events[place].event_id] for place in pending if place not in batch}
        outcomes |= _repeats(events, outcomes, hashes, repeats)
        pending = [place for place in repeats if place not in outcomes]
    return [outcomes[place] for place in range(len(events))]


@beyond("months and what writes into them belong to all workspaces; the companions were looked up before")
def _take(
    session: Session, origin: Origin, events: dict[int, IncomingEvent], hashes: dict[int, int]
) -> dict[int, Outcome]:
    """Write events whose ids differ; their outcomes by place."""
    ids, cursor = [event.event_id for event in events.values()], driver_cursor(session)
    archived = archived_of(cursor, origin.workspace_id, ids)
    companions = list({event.companion_id for event in events.values()})
    if len(events) <= FEW and not archived:
        given = {place: _values(event, origin.received_at, hashes[place]) for place, event in events.items()}
        repeated = take_few(session, origin, given, companions)
    else:
        ensure_partitions_within(session, ids)
        lines = [_line(place, event, origin.received_at, hashes[place]) for place, event in events.items()]
        _, repeated = take(cursor, origin, COLUMNS, lines, companions, archived)
    outcomes = {}
    for place, event in events.items():
        stored = repeated.get(place)
        if stored is not None and not stored.same:
            outcomes[place] = Outcome(event.event_id, Verdict.REFUSED, CONFLICT)
        else:
            outcomes[place] = Outcome(event.event_id, Verdict.DUPLICATE if stored else Verdict.ACCEPTED)
    return outcomes


def _repeats(
    events: Sequence[IncomingEvent],
    outcomes: dict[int, Outcome],
    hashes: dict[int, int],
    repeats: dict[int, int],
) -> dict[int, Outcome]:
    """Outcomes of events whose id stands in the batch before (at the place that `repeats` names).

    None where that one was refused and this one says something else: the ledger may know it.
    """
    found = {}
    for place, first in repeats.items():
        same, known = hashes[place] == hashes[first], outcomes[first].verdict is not Verdict.REFUSED
        if same and known:
            found[place] = Outcome(events[place].event_id, Verdict.DUPLICATE)
        elif same or known:
            found[place] = Outcome(events[place].event_id, Verdict.REFUSED, CONFLICT)
    return found


def _companions(session: Session, workspace_id: UUID, wanted: set[UUID]) -> set[UUID]:
    return set(session.scalars(COMPANIONS, {"workspace": workspace_id, "wanted": list(wanted)}))


def _flaw(event: IncomingEvent, companions: set[UUID], oldest: datetime | None) -> str:
    """Why an event can't be taken; empty where it can."""
    keys = (event.run_key, event.step, event.actor_key or "", event.touched or "")
    if event.event_id.version != 7:
        return N_("event_id is not a UUIDv7")
    if event.companion_id not in companions:
        return N_("the workspace has no such companion")
    if not event.run_key:
        return N_("run_key is empty")
    if max(map(len, keys)) > LONGEST_KEY:
        return msg("a key is longer than {longest_key} characters", longest_key=LONGEST_KEY)
    return _time_flaw(event, oldest)


def _time_flaw(event: IncomingEvent, oldest: datetime | None) -> str:
    at = event.occurred_at
    if at.tzinfo is None:
        return N_("occurred_at has no zone")
    named = timedelta(milliseconds=event.event_id.int >> 80)
    if not (EARLIEST <= at < LATEST and named < LATEST - EARLIEST):
        return msg(
            "it or its event_id is not of a time between {first} and {last}",
            first=EARLIEST.year,
            last=LATEST.year,
        )
    if oldest is not None and at < oldest:
        return N_("it is older than 24 hours and its source is not authenticated")
    return ""


def _content_flaw(said: bytes) -> str:
    if not said:
        return N_("it holds a value that is not JSON")
    return N_("it holds a NUL character") if b"\\u0000" in said and NUL.search(said) else ""


def content(event: IncomingEvent) -> bytes:
    """What tells an event from another one of its id: all of it but the id; empty where it is not JSON."""
    said = (
        event.kind,
        event.companion_id,
        event.run_key,
        event.step,
        event.actor_key,
        event.actor_kind,
        event.seq,
    )
    more = (event.touched, event.flow_version, event.is_test, event.occurred_at.astimezone(UTC), event.props)
    try:
        return orjson.dumps([*said, *more], option=orjson.OPT_SORT_KEYS)
    except TypeError:
        return b""


def _values(event: IncomingEvent, now: datetime, content_hash: int) -> dict[str, Any]:
    """An event as `few.take_few` takes it."""
    at, props = _clamped(event, now)
    return {
        "event_id": event.event_id, "companion_id": event.companion_id, "run_key": event.run_key, "step": event.step,
        "seq": event.seq, "actor_key": event.actor_key, "touched": event.touched, "occurred_at": at.isoformat(),
        "content_hash": content_hash, "props": props, "kind": event.kind, "actor_kind": event.actor_kind,
        "is_test": event.is_test, "flow_version": event.flow_version,
    }  # fmt: skip


def _clamped(event: IncomingEvent, now: datetime) -> tuple[datetime, dict[str, Any]]:
    """When an event counts, and its props: one from the future is set back to now, which they then say."""
    at = event.occurred_at
    return (at, event.props) if at <= now else (now, {**event.props, CLAMPED: at.isoformat()})


def _line(place: int, event: IncomingEvent, now: datetime, content_hash: int) -> str:
    """An event in the order of `COLUMNS` and the text format of COPY: `writer.copy_line`, three times as fast."""
    at, props = _clamped(event, now)
    run, step, actor, touched = event.run_key, event.step, event.actor_key, event.touched
    said = orjson.dumps(props).decode() if props else "{}"
    if not PLAIN(f"{run}{step}{actor}{touched}{said}{event.actor_kind}"):
        return copy_line(_row(place, event, at, content_hash, said))
    return (
        f"{place}\t{event.event_id.hex}\t{event.companion_id.hex}\t{run}\t{step}\t{_null(event.seq)}\t{_null(actor)}"
        f"\t{_null(touched)}\t{at.isoformat()}\t{content_hash}\t{said}\t{event.kind}\t{event.actor_kind}"
        f"\t{event.is_test}\t{_null(event.flow_version)}\n"
    )


def _null(value: object) -> object:
    return "\\N" if value is None else value


def _row(place: int, event: IncomingEvent, at: datetime, content_hash: int, props: str) -> tuple[Any, ...]:
    return (
        place, event.event_id, event.companion_id, event.run_key, event.step, event.seq, event.actor_key, event.touched, at,
        content_hash, props, event.kind, event.actor_kind, event.is_test, event.flow_version,
    )  # fmt: skip
