"""Every request of the API, with texts that break programs in each of its places."""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from leitstand.db.row_security import lifted
from tests.integration.naughty.operations import Operation, Request, Wanted, operations
from tests.integration.naughty.talking import Talk
from tests.integration.naughty.texts import OWN, chosen, inside, sample, texts, visible
from tests.integration.permissions.asking import Answer

PROBLEM = {"type", "title", "status", "detail", "instance", "request_id"}
# One factory makes the endpoints of these and of agents and controls: the quick form leaves them out.
ALIKE = r"/(boards|collections|spaces|apps)(/\{item_id\}.*)?$"
# What is taken and shown nowhere, or in other words, and why that is no loss.
NOT_SHOWN = {
    r"/uploads \S+ body /media_type": "what is no media type is told from the title",
    r"csv body /1/tags$": "a cell has several tags",
    r"/tools/\S+/test \S+ body /arguments": "what fits no argument is named without it",
    r"/comments/0/(author|at)": "who said it and when is filled in",
    r"/events .*/user_agent": "tells robots from people, and is not kept",
    r"/refusals/replay ": "chooses, and changes nothing",
    r"/(runbooks|runbook-runs)/\S+ .*/typed": "asked for where it is no dry run",
    r"/invitations \S+ body /message": "stands in the mail",
    r"(secret|secret_key|key|password)$": "is sealed",
}
HIDDEN = re.compile("|".join(NOT_SHOWN))
# A refused event is kept whole up to so many characters, and says where it is not.
WHOLE = 10_000
IN_SMALL_LETTERS = re.compile(r"/tags(/|$)|email|domains")
# What is refused whatever is sent, in a workspace with one of everything.
NOT_DONE = {
    "POST /me/delete": "the owner's password is not known here",
    "GET /spaces/{space_id}/documents/{document_id}/file": "the document has no file",
    "POST /spaces/{space_id}/uploads/{upload_id}/parts": "the object store is not reached from outside",
    "POST /spaces/{space_id}/uploads/{upload_id}/complete": "nothing was sent yet",
    "GET /reports/{report_id}/content/{form}": "the report was not made",
    "POST /backups/prune": "the plan is another one",
    "POST /runbook-runs/{run_id}/signatures": "the run has no evidence",
    "POST /threads/{thread_id}/retry": "the thread still goes on",
    "POST /conversations/{item_id}/messages/{message_id}/stop": "no answer is being written",
    "GET /conversations/{item_id}/attachments/{attachment_id}": "its file is not in the store",
    "POST /tools/discover": "no such server answers",
    "POST /tools/{tool_id}/refresh": "it is no tool of an MCP server",
    "PUT /billing/plan": "there is one plan, and it is chosen",
    "POST /invitations/{invitation_id}/resend": "it was sent a moment ago",
    "DELETE /roles/{name}": "somebody has the role",
}


def asked(talk: Talk, request: Request) -> Answer:
    """The answer to it, by the owner."""
    headers = (("x-csrf-token", talk.token), ("content-type", request.media or "application/json"))
    return talk.ask(
        request.method,
        request.address,
        content=request.content if request.content is not None else b"",
        headers=(*headers, *request.headers),
    )


def wrong(talk: Talk, operation: Operation, request: Request, typed: str) -> Iterator[str]:
    """What is wrong where this request is sent; a line each."""
    told = f"{request.name}={typed[:60]!r}"
    answer = asked(talk, request)
    if answer.status >= 500:
        yield f"{told}: {answer.status}"
    elif answer.status >= 400:
        yield from _no_problem(answer, told)
    elif request.place.startswith("body") and visible(typed):
        yield from _lost(talk, operation, request, answer, typed)
    talk.forget()


def _no_problem(answer: Answer, told: str) -> Iterator[str]:
    if answer.kind != "application/problem+json":
        yield f"{told}: {answer.status} is told as {answer.kind}"
    elif not set(json.loads(answer.body)) >= PROBLEM:
        yield f"{told}: {answer.status} is not told whole: {answer.body[:200]!r}"


def _lost(talk: Talk, operation: Operation, request: Request, answer: Answer, typed: str) -> Iterator[str]:
    if HIDDEN.search(f"{request.path} {request.media} {request.place}") or (
        len(typed) > WHOLE and "/events" in request.path
    ):
        return
    wanted = {
        visible(typed),
        visible(typed.lower()) if IN_SMALL_LETTERS.search(request.place) else visible(typed),
    }
    for body in (answer.body, *_read(talk, operation, request, answer)):
        if any(visible(one) in wanted for one in inside(json.loads(body or b"null"))):
            return
    yield f"{request.name}={typed[:60]!r}: {answer.status}, and it is not read back"


def _read(talk: Talk, operation: Operation, request: Request, answer: Answer) -> Iterator[bytes]:
    """What is there afterwards."""
    documents = operation.document["paths"]
    path, address = request.path, request.address.partition("?")[0]
    if path.endswith("/events"):
        yield _events(talk)
    made = json.loads(answer.body or b"null")
    if answer.location:
        yield talk.ask("GET", answer.location).body
    if isinstance(made, dict) and "id" in made:
        yield talk.ask("GET", f"{address}/{made['id']}").body
    if f"{path}/versions" in documents:
        yield talk.ask("GET", f"{address}/versions").body
    while path.count("/") > 2:
        if "get" in documents.get(path, {}):
            found = talk.ask("GET", address)
            assert found.status < 500, f"{request.name}: then {found.status}"
            yield found.body
        path, address = path.rpartition("/")[0], address.rpartition("/")[0]


def _events(talk: Talk) -> bytes:
    """Those that were taken, and those that were refused; no endpoint shows them one by one."""
    found: list[Any] = []
    with (
        Session(talk.connection, join_transaction_mode="create_savepoint") as session,
        lifted(session, "a test"),
    ):
        for table in ("event", "event_refusal"):
            found += session.scalars(text(f"SELECT to_jsonb(one) FROM {table} one"))
    return json.dumps(found, default=str).encode()


def found(talk: Talk, operation: Operation, typing: Iterable[str], wanted: Wanted) -> Iterator[str]:
    """What is wrong with an operation, a line each."""
    for typed in typing:
        for request in operation.with_text(typed, wanted):
            yield from wrong(talk, operation, request, typed)


def test_what_the_document_shows_is_taken(api: Talk) -> None:
    lines = []
    for operation in operations(api, without=ALIKE):
        for request in operation.base():
            answer = asked(api, request)
            named = f"{request.method} {request.path.removeprefix('/api/v1')}"
            if (200 <= answer.status < 300) is (named in NOT_DONE):
                lines.append(f"{request.name}: {answer.status} {answer.body[:300]!r} {request.content!r}")
            api.forget()
    assert not lines, "\n".join(lines)


def test_whatever_is_sent_nothing_breaks_and_nothing_is_lost(api: Talk) -> None:
    lines = [
        line
        for operation in operations(api, without=ALIKE)
        for line in found(api, operation, OWN.values(), lambda name, typed: sample(name, 1) == [typed])
    ]
    assert not lines, "\n".join(lines)


@pytest.mark.long
@pytest.mark.timeout(7_200)
def test_whatever_is_sent_everywhere(api: Talk) -> None:
    lines = [line for operation in operations(api) for line in found(api, operation, texts(), chosen)]
    assert not lines, "\n".join(lines)
