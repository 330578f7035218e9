"""What visitors type at every kind of step, and whatever else is sent to their pages, also by pages of others."""

import json
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient
from httpx import Response
from sqlalchemy import text as statement
from sqlalchemy.orm import Session

from api.runtime import create
from leitstand.db.engine import get_engine
from leitstand.db.ids import derived_uuid7
from leitstand.db.row_security import lifted
from leitstand.embedded.postgres import Cluster
from leitstand.settings import get_settings
from tests.integration.naughty.broken import own, shared
from tests.integration.naughty.forms import shown
from tests.integration.naughty.texts import (
    OWN,
    SCRIPT,
    chosen,
    holds,
    inside,
    same,
    sample,
    texts,
    visible,
)
from tests.integration.naughty.visiting import BROWSER, NUMBERS, Step, Street, open_all, said
from tests.integration.permissions.planting import plant
from tests.services import cloned_database

FORM = "application/x-www-form-urlencoded"
RATES = ("RUNTIME_VISITOR", "RUNTIME_ADDRESS", "RUNTIME_COMPANION", "SNIPPET_ADDRESS")
ADDRESSES = ("GET /c/{}", "GET /c/{}/leitstand.js", "POST /c/{}/answer", "POST /c/{}/again", "POST /c/{}/events", "GET /c/static/{}", "GET /c/question?moved={}", "GET /c/question?{}=x")  # fmt: skip
HEADERS = ("user-agent", "accept", "accept-language", "cookie", "origin", "dnt", "sec-purpose", "sec-fetch-site", "x-forwarded-for")  # fmt: skip
# What a page of somebody else's says of an event, and what nobody says; `*` is a member's name.
MEMBERS = ("visitor", "event_id", "kind", "run_key", "step", "seq", "occurred_at", "more", "*")
# As long as the address may be that a test's client sends.
LONGEST = 5_000
# A refused event is kept up to so many characters.
WHOLE = 10_000
Wanted = Callable[[str, str], bool]


@pytest.fixture(scope="module")
def street(cluster: Cluster, services: dict[str, object]) -> Iterator[Street]:
    with cloned_database(cluster, services), pytest.MonkeyPatch.context() as patch:
        for name in RATES:
            patch.setenv(f"LEITSTAND_{name}_RATE", "1000000/minute")
        get_settings.cache_clear()
        with Session(get_engine(), expire_on_commit=False) as session:
            slugs = open_all(session, plant(session, "here").owner)
        yield Street(TestClient(create(), headers=BROWSER, raise_server_exceptions=False), slugs)


def broken(answer: Response, told: str) -> Iterator[str]:
    """What must be nowhere."""
    if answer.status_code >= 500:
        yield f"{told}: {answer.status_code}"
    if SCRIPT in answer.text:
        yield f"{told}: raw markup"


def wrong(street: Street, at: Step, field: str, text: str) -> Iterator[str]:
    """What is wrong where a visitor sends this in a field; a line each."""
    told = f"{at.slug}: {field}={text[:60]!r}"
    text = text.encode(errors="surrogatepass").decode(errors="replace")[: at.most.get(field)]
    answer = street.send(at.form, **{field: text})
    yield from broken(answer, told)
    if field not in at.form.typed:
        return
    if answer.status_code == 200:
        (told_us,), echo = said(answer, "visitor"), said(answer, "companion")[-1]
        if not kept(at.slug, told_us, text):
            yield f"{told}: it became {told_us[:60]!r}"
        if not kept(at.slug, echo.removeprefix("So it is ").removesuffix("!"), text):
            yield f"{told}: it is said again as {echo[:60]!r}"
    elif not any(same(text, one) for one in shown(answer.content, field)):
        yield f"{told}: {answer.status_code}, and what was typed is lost"


def kept(slug: str, read: str, sent: str) -> bool:
    """Whether what was sent stands in what is read; a number may be written otherwise, and JSON as words."""
    if holds(read, sent):
        return True
    if slug in NUMBERS:
        with suppress(InvalidOperation):
            return Decimal(read) == Decimal(sent.strip().replace(",", "."))
    with suppress(ValueError):
        return slug in {"json", "an-object"} and all(holds(read, one) for one in inside(json.loads(sent)))
    return False


def at_every_step(street: Street, typed: list[str], wanted: Wanted) -> list[str]:
    """All that is wrong with the wanted of these texts in each field of each step."""
    return [
        line
        for slug in street.slugs
        for field in street.begin(slug).form.values
        for text in typed
        if wanted(f"{slug} {field}", text)
        for line in wrong(street, street.begin(slug), field, text)
    ]


def elsewhere(street: Street, given: list[str], wanted: Wanted) -> Iterator[str]:
    """What is wrong with the wanted of these texts in addresses and headers."""
    for text in given:
        for place in filter(lambda place: wanted(place, text), ADDRESSES):
            typed = quote(text[:LONGEST], safe="", errors="surrogatepass")
            method, _, address = place.format(typed).partition(" ")
            answer = street.client.request(method, address, data={"run": "x"} if method == "POST" else None)
            yield from broken(answer, f"{place}: {text[:60]!r}")
        for name in filter(lambda name: wanted(name, text), HEADERS):
            # No server lets these through.
            value = text.encode(errors="surrogatepass").translate(None, b"\0\r\n")
            answer = street.client.get("/c/question", headers=[(name.encode(), value)])
            yield from broken(answer, f"{name}: {text[:60]!r}")


def of_a_page(member: str, text: str) -> dict[str, object]:
    """What a page of somebody else's sends with the text in one member."""
    now = datetime.now(UTC)
    event: dict[str, object] = {
        "event_id": str(derived_uuid7(now, secrets.token_bytes(8))),
        "kind": "viewed",
        "run_key": "r",
        "occurred_at": now.isoformat(),
    }
    visitor = text if member == "visitor" else secrets.token_urlsafe(24)
    if member != "visitor":
        event[text if member == "*" else member] = text
    return {"visitor": visitor, "events": [event]}


def not_taken(street: Street, typed: list[str], wanted: Wanted) -> Iterator[str]:
    """What is wrong with the wanted of these texts in the events of pages of others."""
    for text in typed:
        for member in filter(lambda member: wanted(f"events {member}", text), MEMBERS):
            told, body = f"events {member}={text[:60]!r}", json.dumps(of_a_page(member, text))
            answer = street.client.post("/c/question/events", content=body)
            yield from broken(answer, told)
            if answer.status_code == 200 and len(text) < WHOLE and not _is_there(text):
                yield f"{told}: {answer.json()['items']}, and it is not there"


def _is_there(text: str) -> bool:
    """Whether the last event or the last refused one holds the text."""
    with Session(get_engine()) as session, lifted(session, "a test"):
        rows = [
            session.scalar(statement(f"SELECT to_jsonb(one) FROM {table} one ORDER BY {newest} DESC LIMIT 1"))
            for table, newest in (("event", "received_at"), ("event_refusal", "id"))
        ]
    return any(visible(text) in visible(one) for one in inside(rows))


def unread(street: Street, files: Iterable[tuple[str, bytes]]) -> Iterator[str]:
    """What is wrong where the body is a file."""
    for name, data in files:
        for path, kind in (("answer", FORM), ("again", FORM), ("events", "text/plain")):
            answer = street.client.post(f"/c/question/{path}", content=data, headers={"Content-Type": kind})
            yield from broken(answer, f"{path}: {name[:60]!r}")
            if answer.status_code < 400:
                yield f"{path}: {name[:60]!r}: {answer.status_code}"


def test_whatever_a_visitor_types_nothing_breaks_and_nothing_is_lost(street: Street) -> None:
    lines = at_every_step(street, [*OWN.values()], lambda place, text: sample(place, 1) == [text])
    assert not lines, "\n".join(lines)


def test_whatever_else_is_sent_breaks_nothing(street: Street) -> None:
    typed: list[str] = [*OWN.values()]

    def wanted(place: str, text: str) -> bool:
        return text in sample(place, 2)

    lines = [
        *elsewhere(street, typed, wanted),
        *not_taken(street, typed, wanted),
        *unread(street, own().items()),
    ]
    assert not lines, "\n".join(lines)


@pytest.mark.long
@pytest.mark.timeout(3_600)
def test_whatever_a_visitor_types_everywhere(street: Street) -> None:
    lines = at_every_step(street, texts(), chosen)
    lines += [*elsewhere(street, texts(), chosen), *not_taken(street, texts(), chosen)]
    lines += unread(street, [*own().items(), *shared("bad-input/json")])
    assert not lines, "\n".join(lines)
