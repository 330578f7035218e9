"""From the fields of one line to an event: checked, named by its content, ready to be written."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from leitstand.db.ids import derived_uuid7
from leitstand.events.instants import parse_instant
from leitstand.words import Message, msg, words_of

REQUIRED = ("session_id", "actor_id", "activity", "timestamp")
OPTIONAL = ("seq", "flow_id", "item")
KNOWN = (*REQUIRED, *OPTIONAL)
# A key must fit into an index entry (2,700 bytes) in any script.
LONGEST_KEY = 500
LONGEST_ITEM = 4_000
LARGEST_EVENT = 1_000_000
LARGEST_SEQ = 2**31 - 1
DIGITS = re.compile(r"[0-9]+").fullmatch
NOTHING = b"{}"
CLAMPED = "occurred_at_claimed"
# A NUL as JSON writes it, which the same characters in a text (whose backslash is doubled) are not.
NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


class Refused(ValueError):
    """A line or an event that can't be taken; the message says why."""


class Row(NamedTuple):
    """One event in the order of the ledger's columns, its companion still by name."""

    event_id: UUID
    companion: str
    run_key: str
    step: str
    seq: int | None
    actor_key: str | None
    touched: str | None
    occurred_at: datetime
    content_hash: int
    props: bytes


@dataclass(frozen=True)
class Builder:
    """Makes rows of one file.

    Args:
        fallback: the companion of an event that names neither flow nor item.
        received_at: when the file is read; a later time is set back to it.
    """

    fallback: str
    received_at: datetime

    def build(self, fields: dict[str, Any]) -> Row:
        """The event of one line; `fields` is used up.

        Raises:
            Refused: something is missing, malformed or too long.
        """
        pop = fields.pop
        session, activity, actor = pop("session_id", None), pop("activity", None), pop("actor_id", None)
        flow, item, seq = pop("flow_id", None), pop("item", None) or None, pop("seq", None)
        # Nearly every value is as it should be, and a call for each costs more than to see that.
        if type(session) is not str or not 0 < len(session) <= LONGEST_KEY:
            session = _key(session, "session_id")
        if type(activity) is not str or not 0 < len(activity) <= LONGEST_KEY:
            activity = _key(activity, "activity")
        if type(actor) is not str or not 0 < len(actor) <= LONGEST_KEY:
            actor = _optional_key(actor, "actor_id")
        at = _instant(pop("timestamp", None))
        seq = int(seq) if type(seq) is str and len(seq) < 10 and DIGITS(seq) else _whole(seq)
        if type(flow) is not str or not 0 < len(flow) <= LONGEST_KEY:
            flow = _optional_key(flow, "flow_id")
        props = (
            {name: value for name, value in fields.items() if value is not None and value != ""}
            if fields
            else {}
        )
        instant = at if at.tzinfo is UTC else at.astimezone(UTC)
        content = _content([session, actor, activity, instant, seq, flow, item, props])
        if item is not None:
            _check_item(item, named=flow is not None)
        event_id = derived_uuid7(at, content)
        if at > self.received_at:
            props[CLAMPED] = at.isoformat()
            at = self.received_at
        return Row(
            event_id, flow or item or self.fallback, session, activity, seq, actor, item, at,
            content_hash(content), orjson.dumps(props) if props else NOTHING,
        )  # fmt: skip


def content_hash(content: bytes) -> int:
    """A signed 64-bit hash that tells an event from another one of the same id."""
    return int.from_bytes(blake2b(content, digest_size=8).digest(), "big", signed=True)


def _content(parts: list[object]) -> bytes:
    try:
        content = orjson.dumps(parts, option=orjson.OPT_SORT_KEYS)
    except TypeError as error:
        deep = "recursion" in str(error).lower()
        raise Refused(
            "a value is nested too deeply" if deep else "it holds a character that is not valid Unicode"
        ) from None
    if len(content) > LARGEST_EVENT:
        raise Refused(msg("it is larger than {largest_event:,} bytes", largest_event=LARGEST_EVENT))
    if b"\\u0000" in content and NUL.search(content):
        raise Refused("it holds a NUL character")
    return content


def _key(value: object, name: str) -> str:
    if value is None or value == "":
        raise Refused(msg("{name} is empty", name=name))
    return _text(value, name)


def _optional_key(value: object, name: str) -> str | None:
    return None if value is None or value == "" else _text(value, name)


def _text(value: object, name: str) -> str:
    if not isinstance(value, str):
        raise Refused(msg("{name} is not a single value", name=name))
    if len(value) > LONGEST_KEY:
        raise Refused(
            msg("{name} is longer than {longest_key} characters", name=name, longest_key=LONGEST_KEY)
        )
    return value


def _instant(value: object) -> datetime:
    if value is None or value == "":
        raise Refused("timestamp is empty")
    if not isinstance(value, str):
        raise Refused("timestamp is not a single value")
    try:
        return parse_instant(value)
    except ValueError as error:
        raise Refused(words_of(error)) from None


def _whole(value: Any) -> int | None:
    if value is None or value == "":
        return None
    digits = value.removeprefix("-") if isinstance(value, str) else ""
    if not (digits.isascii() and digits.isdigit() and len(digits) < 11 and int(digits) <= LARGEST_SEQ):
        raise Refused("seq is not a whole number")
    return int(value)


def _check_item(item: object, *, named: bool) -> None:
    if not isinstance(item, str):
        raise Refused("item is not a single value")
    longest = LONGEST_ITEM if named else LONGEST_KEY
    if len(item) > longest:
        raise Refused(msg("item is longer than {longest} characters", longest=longest))


def missing_columns(names: Collection[str]) -> list[str]:
    """The required columns that a file lacks."""
    return [name for name in REQUIRED if name not in names]


def lacking(name: str, missing: list[str]) -> Message:
    """That a file of this name lacks columns."""
    names = ", ".join(missing)
    if len(missing) == 1:
        return msg("{name} lacks the column {names}.", name=name, names=names)
    return msg("{name} lacks the columns {names}.", name=name, names=names)
