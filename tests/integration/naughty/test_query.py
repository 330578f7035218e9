"""Questions to the query service, with texts that break programs in each place and broken files for a body."""

import json
from collections.abc import Iterable, Iterator

import pytest
from sqlalchemy.orm import Session

from api.query import PREFIX, create
from leitstand.db.engine import get_engine
from leitstand.embedded.postgres import Cluster
from tests.integration.naughty.broken import own, shared
from tests.integration.naughty.operations import Operation, Request, operations
from tests.integration.naughty.talking import Talk, talking
from tests.integration.naughty.test_api import asked, found
from tests.integration.naughty.texts import OWN, same, sample, texts
from tests.integration.permissions.planting import plant
from tests.integration.permissions.world import World
from tests.services import cloned_database
from tests.spaces import space_with

HERONS = "# Herons\nHerons live near fresh water. The café of the heron weighs <b>9</b> kilograms.\n".encode()


@pytest.fixture(scope="module")
def query(cluster: Cluster, services: dict[str, object]) -> Iterator[Talk]:
    """With the query service, over a workspace with one of everything and a document that can be found."""
    with cloned_database(cluster, services), Session(get_engine(), expire_on_commit=False) as session:
        here, there = plant(session, "here"), plant(session, "there")
        space_with(session, here.workspace.id, HERONS)
        with talking(World(create(), [], session, here, there)) as talk:
            yield talk


def unlike(query: Talk, typed: Iterable[str]) -> Iterator[str]:
    """Which questions are answered as others, alone and beside words that the document has."""
    for text in typed:
        for question in (text, f"{text} heron", f"heron {text} weighs"):
            told, content = f"{question[:60]!r}", json.dumps({"question": question}).encode()
            answer = asked(query, Request("POST", f"{PREFIX}/ask", f"{PREFIX}/ask", content=content))
            if answer.status >= 500:
                yield f"{told}: {answer.status}"
            elif answer.status == 200:
                yield from _of(json.loads(answer.body), question, told)
            query.forget()


def _of(body: dict[str, object], question: str, told: str) -> Iterator[str]:
    if not same(question, body["question"]):
        yield f"{told}: {body['question']!r} is answered"
    for citation in body["citations"]:  # type: ignore[attr-defined]
        if citation["quote"] not in citation["text"]:
            yield f"{told}: {citation['quote']!r} stands nowhere"


def searched(query: Talk, typed: Iterable[str]) -> Iterator[str]:
    """What is wrong where a text is looked for; a line each."""
    (search,) = [one for one in operations(query) if one.method == "GET"]
    for text in typed:
        for request in search.with_text(text, lambda name, _: name.endswith("query q")):
            answer = asked(query, request)
            if answer.status == 200 and not same(text, json.loads(answer.body)["question"]):
                yield f"{text[:60]!r}: {answer.body[:200]!r}"
            fits = 0 < len(text) <= 2_000 and bool(text.strip()) and "\x00" not in text
            if (answer.status == 200) is not fits:
                yield f"{text[:60]!r}: {answer.status}"
            query.forget()


def unread(query: Talk, files: Iterable[tuple[str, bytes]]) -> Iterator[str]:
    """Which files are no refused question."""
    for name, data in files:
        answer = asked(query, Request("POST", f"{PREFIX}/ask", f"{PREFIX}/ask", content=data))
        if not 400 <= answer.status < 500 or answer.kind != "application/problem+json":
            yield f"{name[:60]!r}: {answer.status} {answer.kind}"
        query.forget()


def everywhere(query: Talk, typed: list[str], number: int) -> list[str]:
    """All that is wrong with so many of the texts in each place."""

    def wanted(name: str, text: str) -> bool:
        return number >= len(typed) or text in sample(name, number)

    asking: list[Operation] = operations(query)
    assert len(asking) == 2
    return [line for operation in asking for line in found(query, operation, typed, wanted)]


def test_whatever_is_asked_nothing_breaks_and_nothing_is_lost(query: Talk) -> None:
    typed = [*OWN.values()]
    lines = everywhere(query, typed, 3)
    lines += [*unlike(query, typed), *searched(query, typed), *unread(query, own().items())]
    assert not lines, "\n".join(lines)


@pytest.mark.long
@pytest.mark.timeout(3_600)
def test_whatever_is_asked_everywhere(query: Talk) -> None:
    typed = texts()
    lines = everywhere(query, typed, len(typed))
    lines += [*unlike(query, typed), *searched(query, typed), *unread(query, shared("bad-input/json"))]
    assert not lines, "\n".join(lines)
