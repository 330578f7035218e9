"""Events as programs send them: JSON or NDJSON, told apart event by event, answered one by one.

Events come by the thousand, so each is checked by hand: a model a piece takes longer than all the rest.
"""

import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, cast
from uuid import UUID

import orjson
from psycopg import errors
from sqlalchemy import or_, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from leitstand.db.ids import derived_uuid7
from leitstand.db.models import Companion, Item
from leitstand.errors import InvalidInput, TooLarge, Unavailable
from leitstand.events import agents, refusals
from leitstand.events.instants import parse_instant
from leitstand.events.ledger import IncomingEvent, Kind, Outcome, Verdict, content, settle
from leitstand.events.rows import LARGEST_SEQ, LONGEST_KEY
from leitstand.identity.access import Principal, require
from leitstand.limits.intake import within_plan
from leitstand.words import N_, msg, said, words_of

MOST = 1_000
LARGEST_EVENT = refusals.LARGEST_WHOLE
KINDS = ("viewed", "answered", "completed")
ACTOR_KINDS = ("visitor", "member", "external", "bot", "preview")
REQUIRED = ("kind", "companion", "run_key", "occurred_at")
OPTIONAL = (
    "event_id", "step", "actor_key", "actor_kind", "seq", "touched", "flow_version", "is_test", "props", "user_agent",
)  # fmt: skip
MEMBERS = frozenset(REQUIRED + OPTIONAL)
WHOLE = range(-LARGEST_SEQ - 1, LARGEST_SEQ + 1)
TOO_DEEP = N_("a value is nested too deeply")
TOO_LARGE = msg("it is larger than {largest_event:,} bytes", largest_event=LARGEST_EVENT)
TRIES = 4
IN_THE_WAY = (errors.DeadlockDetected, errors.SerializationFailure)


class Given(NamedTuple):
    """One event as it was sent.

    Args:
        raw: its bytes.
        members: what they say; None where they can't be read.
        reason: why not; empty where they can.
    """

    raw: bytes
    members: dict[str, Any] | None
    reason: str = ""


class Answered(NamedTuple):
    """What became of one event; its id where it has one."""

    event_id: UUID | None
    verdict: Verdict
    reason: str = ""

    def to_dict(self) -> dict[str, Any]:
        found: dict[str, Any] = {"event_id": self.event_id, "outcome": self.verdict.value}
        return found | {"reason": self.reason} if self.reason else found


class Unfit(ValueError):
    """An event that can't be taken; the message says why."""


@dataclass(frozen=True)
class Batch:
    """The answers to a batch, in the order in which its events were sent."""

    items: list[Answered]

    def to_json(self) -> bytes:
        """As the API says it."""
        counts = {verdict.value: 0 for verdict in Verdict}
        for item in self.items:
            counts[item.verdict.value] += 1
        return orjson.dumps(counts | {"items": [item.to_dict() for item in self.items]})


def read_json(body: bytes) -> list[Given]:
    """The events of `{"events": […]}` or of a bare list.

    Raises:
        InvalidInput: it is neither.
        TooLarge: they are more than a batch may have.
    """
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        hint = N_("As NDJSON (application/x-ndjson), a broken line would be refused by itself.")
        raise InvalidInput(msg("The body is not JSON: {error}.", error=error), hint=hint) from None
    if isinstance(found, dict) and set(found) == {"events"}:
        found = found["events"]
    if not isinstance(found, list):
        raise InvalidInput(
            "The body is not a list of events.", hint='Send {"events": [...]}, a bare list, or NDJSON.'
        )
    _check_size(len(found))
    return [_given(written(event), event) for event in found]


def read_ndjson(body: bytes) -> list[Given]:
    """One event a line; a blank line is none, and one that can't be read is refused by itself.

    Raises:
        TooLarge: they are more than a batch may have.
    """
    lines = [line for line in body.split(b"\n") if line and not line.isspace()]
    _check_size(len(lines))
    return [_read_line(line) for line in lines]


def written(event: object) -> bytes:
    """What was read, as JSON again; empty where it is nested too deeply to be written."""
    try:
        return orjson.dumps(event)
    except TypeError:
        return b""


def take_in(
    session: Session,
    *,
    principal: Principal,
    events: Sequence[Given],
    source: str = "api",
) -> Batch:
    """Take the events of a member or a token into the ledger, in the caller's transaction; keep what is refused.

    Raises:
        Forbidden: without `events:write`.
        Unavailable: the facts of a companion are being computed afresh; sending it all again later is safe.
    """
    require(principal, "events:write")
    return take_in_for(session, workspace_id=principal.workspace_id, events=events, source=source)


def take_in_for(
    session: Session, *, workspace_id: UUID, events: Sequence[Given], source: str, trusted: bool = True
) -> Batch:
    """The same for a workspace; who may do it has been decided.

    Args:
        trusted: whether the source is authenticated; else events older than 24 hours are refused.
    """
    items = answer(session, workspace_id=workspace_id, events=events, source=source, trusted=trusted)
    refused = [
        refusals.Refused(item.reason, event.raw)
        for item, event in zip(items, events, strict=True)
        if item.verdict is Verdict.REFUSED
    ]
    refusals.keep(session, workspace_id=workspace_id, source=source, refused=refused)
    return Batch(items)


def answer(
    session: Session, *, workspace_id: UUID, events: Sequence[Given], source: str, trusted: bool = True
) -> list[Answered]:
    """Take events in and say of each what became of it; what is refused is not kept.

    Raises:
        Unavailable: somebody else has held what this needs for too long.
    """
    names = _companions(session, workspace_id, [event.members for event in events])
    items: list[Answered | None] = [None] * len(events)
    fit: list[tuple[int, IncomingEvent]] = []
    for place, event in enumerate(events):
        try:
            fit.append((place, parse(event, names)))
        except Unfit as unfit:
            items[place] = Answered(_id_of(event), Verdict.REFUSED, words_of(unfit))
    room = within_plan(session, workspace_id, [event.occurred_at for _, event in fit])
    for (place, taken), reason in zip(fit, room, strict=True):
        if reason:
            items[place] = Answered(taken.event_id, Verdict.REFUSED, reason)
    fit = [pair for pair, reason in zip(fit, room, strict=True) if not reason]
    outcomes = _settled(session, workspace_id, [event for _, event in fit], source, trusted)
    for (place, _), outcome in zip(fit, outcomes, strict=True):
        items[place] = Answered(outcome.event_id, outcome.verdict, outcome.reason)
    return cast(list[Answered], items)


def parse(given: Given, companions: Mapping[str, UUID]) -> IncomingEvent:
    """The event that was given.

    Args:
        companions: ids by whatever name the events use.

    Raises:
        Unfit: a member is missing, unknown or malformed.
    """
    members = given.members
    if members is None:
        raise Unfit(given.reason)
    if not members.keys() <= MEMBERS:
        raise Unfit(msg("there is no member {members}", members=_unknown(members)))
    for name in REQUIRED:
        if name not in members:
            raise Unfit(msg("{name} is missing", name=name))
    if (kind := members["kind"]) not in KINDS:
        raise Unfit(msg("kind is not one of {kinds}", kinds=", ".join(KINDS)))
    event = IncomingEvent(
        event_id=_NO_ID,
        kind=cast(Kind, kind),
        companion_id=_companion(members["companion"], companions),
        run_key=_text(members, "run_key") or "",
        occurred_at=_instant(members["occurred_at"]),
        step=_text(members, "step") or "",
        actor_key=_text(members, "actor_key"),
        actor_kind=_actor_kind(members),
        seq=_whole(members, "seq"),
        touched=_text(members, "touched"),
        flow_version=_whole(members, "flow_version"),
        is_test=_truth(members.get("is_test")),
        props=_props(members.get("props")),
    )
    # Frozen for everybody else; it is being made here, and making it twice costs as much again.
    object.__setattr__(event, "event_id", _event_id(members, event))
    return event


_NO_ID = UUID(int=0)


def _event_id(members: dict[str, Any], event: IncomingEvent) -> UUID:
    """The id that was given, else the one that follows from time and content, so that sending again changes nothing."""
    given = members.get("event_id")
    if given is None:
        return derived_uuid7(event.occurred_at, content(event))
    found = _uuid(given)
    if found is None or found.version != 7:
        raise Unfit("event_id is not a UUIDv7; leave it out to have it derived from time and content")
    return found


def _check_size(events: int) -> None:
    if events > MOST:
        raise TooLarge(
            msg("A batch has at most {most:,} events; this one has {events:,}.", most=MOST, events=events),
            hint="Send several.",
        )


def _read_line(line: bytes) -> Given:
    if len(line) > LARGEST_EVENT:
        return Given(line, None, TOO_LARGE)
    try:
        return _given(line, orjson.loads(line))
    except orjson.JSONDecodeError as error:
        return Given(line, None, msg("not JSON: {error}", error=error))


def _given(raw: bytes, event: object) -> Given:
    if not raw:
        return Given(raw, None, TOO_DEEP)
    if not isinstance(event, dict):
        return Given(raw, None, N_("not a JSON object"))
    if len(raw) > LARGEST_EVENT:
        return Given(raw, None, TOO_LARGE)
    return Given(raw, event)


def _settled(
    session: Session, workspace_id: UUID, events: list[IncomingEvent], source: str, trusted: bool
) -> list[Outcome]:
    """Take events in; again where another batch with the same runs was in the way."""
    if not events:
        return []
    for attempt in range(TRIES):
        try:
            with session.begin_nested():
                return settle(
                    session, workspace_id=workspace_id, events=events, source=source, trusted=trusted
                )
        except (errors.LockNotAvailable, *IN_THE_WAY, OperationalError) as error:
            cause = error.orig if isinstance(error, OperationalError) else error
            if isinstance(cause, errors.LockNotAvailable) or attempt == TRIES - 1:
                raise Unavailable(
                    "Other work on these runs did not end in time.",
                    hint="Send the same events again in a moment; none is counted twice.",
                    details={"retry_after": 2},
                ) from error
            if not isinstance(cause, IN_THE_WAY):
                raise
            time.sleep(random.uniform(0.01, 0.05) * 2**attempt)  # noqa: S311 - spreads retries, no secret
    raise AssertionError("unreachable")


def _companions(
    session: Session, workspace_id: UUID, members: Sequence[dict[str, Any] | None]
) -> dict[str, UUID]:
    """The ids of the companions that the events name: by id, else by public slug, else by external key."""
    given = (each.get("companion") for each in members if each is not None)
    names = {name for name in given if isinstance(name, str) and 0 < len(name) <= LONGEST_KEY}
    names = {name for name in names if "\0" not in name}
    ids = {item_id: name for name in names if (item_id := _uuid(name)) is not None}
    named = (
        select(Item.id, Companion.slug, Item.external_key)
        .outerjoin(Companion, Companion.item_id == Item.id)
        .where(
            Item.workspace_id == workspace_id,
            Item.kind == "companion",
            or_(Item.id.in_(ids), Companion.slug.in_(names), Item.external_key.in_(names)),
        )
    )
    rows = session.execute(named).tuples().all()
    found = {key: item_id for item_id, _, key in rows if key in names}
    found |= {slug: item_id for item_id, slug, _ in rows if slug in names}
    return found | {ids[item_id]: item_id for item_id, _, _ in rows if item_id in ids}


def _companion(name: object, companions: Mapping[str, UUID]) -> UUID:
    if not isinstance(name, str):
        raise Unfit("companion is not text: give its id, public slug or external key")
    found = companions.get(name)
    if found is None:
        raise Unfit(msg("the workspace has no companion {name!r}", name=name[:80]))
    return found


def _instant(value: object) -> datetime:
    if not isinstance(value, str):
        raise Unfit("occurred_at is not text: give ISO 8601 with Z or an offset")
    try:
        return parse_instant(value)
    except ValueError as error:
        raise Unfit(msg("occurred_at: {error}", error=said(words_of(error)))) from None


def _text(members: dict[str, Any], name: str) -> str | None:
    value = members.get(name)
    if value is not None and not isinstance(value, str):
        raise Unfit(msg("{name} is not text", name=name))
    return value


def _whole(members: dict[str, Any], name: str) -> int | None:
    value = members.get(name)
    if value is None:
        return None
    if type(value) is not int or value not in WHOLE:
        raise Unfit(msg("{name} is not a whole number", name=name))
    return value


def _truth(value: object) -> bool:
    if value is None:
        return False
    if not isinstance(value, bool):
        raise Unfit("is_test is neither true nor false")
    return value


def _props(value: object) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Unfit("props is not an object")
    return value


def _actor_kind(members: dict[str, Any]) -> str:
    kind = members.get("actor_kind", "visitor")
    if kind not in ACTOR_KINDS:
        raise Unfit(msg("actor_kind is not one of {actor_kinds}", actor_kinds=", ".join(ACTOR_KINDS)))
    agent = members.get("user_agent")
    if agent is None:
        return str(kind)
    if not isinstance(agent, str):
        raise Unfit("user_agent is not text")
    return "bot" if agents.is_bot(agent) else str(kind)


def _id_of(given: Given) -> UUID | None:
    return _uuid((given.members or {}).get("event_id"))


def _uuid(value: object) -> UUID | None:
    try:
        return UUID(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _unknown(members: dict[str, Any]) -> str:
    name = min(members.keys() - MEMBERS)
    return repr(name[:80])
