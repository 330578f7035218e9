"""Instants as text: ISO 8601 with an offset, or with a zone behind (RFC 9557)."""

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from leitstand.words import msg

# UUIDv7 begins in 1970; later than 2100 nothing is meant, and no partition is made for it.
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = datetime(2100, 1, 1, tzinfo=UTC)
ANNOTATED = re.compile(r"(?P<instant>[^\[\]]+)(?P<tags>(?:\[[^\[\]]+\])+)")
TAG = re.compile(r"\[(!?)([^\[\]]+)\]")


def parse_instant(text: str) -> datetime:
    """The instant that the text names, aware.

    Args:
        text: as `2026-11-23T10:00:00.123+01:00`, `…Z`, `…+0100`, `…+01`, or with a zone: `…+01:00[Europe/Berlin]`
            and `2026-11-23T10:00:00[Europe/Berlin]`.

    Raises:
        ValueError: why it can't be taken, in words for people.
    """
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = _annotated(text)
    if found.tzinfo is None:
        raise ValueError(
            msg("timestamp {text} has no zone: it needs Z or an offset such as +01:00", text=_shown(text))
        )
    if not EARLIEST <= found < LATEST:
        raise ValueError(
            msg(
                "timestamp {text} is not between {first} and {last}",
                text=_shown(text),
                first=EARLIEST.year,
                last=LATEST.year,
            )
        )
    return found


def _annotated(text: str) -> datetime:
    """An instant with suffixes in brackets: an offset goes before a zone, unless the zone is marked as critical."""
    match = ANNOTATED.fullmatch(text)
    try:
        found = datetime.fromisoformat(match["instant"] if match else text.strip().upper())
    except ValueError:
        raise ValueError(msg("timestamp {text} is not ISO 8601", text=_shown(text))) from None
    for critical, tag in TAG.findall(match["tags"] if match else ""):
        found = _in_zone(found, tag, text, critical=bool(critical))
    return found


def _in_zone(found: datetime, tag: str, text: str, *, critical: bool) -> datetime:
    if "=" in tag:
        if critical:
            raise ValueError(
                msg("timestamp {text} has a critical suffix that is not known", text=_shown(text))
            )
        return found
    try:
        zone = ZoneInfo(tag)
    except (KeyError, ValueError, OSError):
        raise ValueError(msg("timestamp {text} names no known time zone", text=_shown(text))) from None
    if found.tzinfo is None:
        return found.replace(tzinfo=zone)
    if critical and found.astimezone(zone).utcoffset() != found.utcoffset():
        raise ValueError(msg("timestamp {text}: its offset is not that of its zone", text=_shown(text)))
    return found


def _shown(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")
