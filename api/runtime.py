"""The public runtime: a published companion's flow, open to visitors who are not signed in.

Every page works without a script. A step is one transaction, committed before the visitor is sent on (303), so that
reloading never sends an answer twice.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, TypedDict
from urllib.parse import parse_qs
from uuid import UUID

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from prometheus_client import Counter
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware

from api.runtime_pages import pages
from api.runtime_pages.rates import Rates
from api.runtime_pages.visitors import (
    TOKEN,
    Visitor,
    form_token_fits,
    is_person,
    remember,
    visitor_of,
    wants_no_tracking,
    workspace_tag,
)
from leitstand.companions.inputs import from_form
from leitstand.companions.preparing import prepare
from leitstand.companions.runs import (
    OpenCompanion,
    Outcome,
    Prepared,
    find_open,
    find_run,
    give_answer,
    open_run,
    preview,
    start_again,
    visitor_key,
)
from leitstand.companions.steps import Input
from leitstand.db import row_security
from leitstand.db.engine import get_engine, transaction
from leitstand.errors import Conflict, Forbidden, InvalidInput, NotFound, TooManyRequests
from leitstand.events.page_events import read as read_page_events
from leitstand.events.page_events import take as take_page_events
from leitstand.settings import get_settings
from serving.app import create_app
from serving.bodies import raw_body
from serving.body_limit import LimitBody
from serving.session import client_address, refuse_other_sites

LARGEST_BODY = 64 * 1024
MOST_FIELDS = 200
NO_CONTENT = 204
SEE_OTHER = 303
UNPROCESSABLE = 422
UNSUPPORTED = 415
FORM = "application/x-www-form-urlencoded"
SLUG = re.compile(r"[a-z0-9-]{1,64}")
STEPS = Counter(
    "leitstand_runtime_answers_total", "Answers that visitors sent, by what became of them.", ["outcome"]
)


class Stands(TypedDict):
    """An answer, and where the run stood on the page that it was given on."""

    companion: OpenCompanion
    visitor: str
    run_id: UUID
    revision: int
    answer: str


router = APIRouter(prefix="/c")


@dataclass(frozen=True)
class Form:
    """A form: every value by its name, as a control with several choices sends them."""

    values: dict[str, list[str]]

    def last(self, name: str) -> str:
        """A field's value, of a repeated one the last; empty where there is none."""
        return self.values.get(name, [""])[-1]


async def form_of(request: Request) -> Form:
    """The form that a request sends."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != FORM:
        raise HTTPException(UNSUPPORTED, "Only forms are taken here.")
    body = (await request.body()).decode("utf-8", errors="replace")
    try:
        return Form(parse_qs(body, keep_blank_values=True, errors="replace", max_num_fields=MOST_FIELDS))
    except ValueError:
        raise HTTPException(UNPROCESSABLE, "The form has too many fields.") from None


@router.get("/static/{name}")
def static_file(name: str) -> Response:
    """A style sheet; its address changes with its content."""
    found = pages.asset(name)
    return Response(found.content, media_type=found.media_type, headers={"Cache-Control": pages.FOREVER})


@router.get("/{slug}/leitstand.js")
def snippet(slug: str) -> Response:
    """The script with which other pages send what their visitors do with this companion."""
    with transaction() as session:
        companion = _open(slug, session)
    text = pages.snippet(workspace_tag(companion.workspace_id))
    headers = {"Cache-Control": pages.AN_HOUR, "Cross-Origin-Resource-Policy": "cross-origin"}
    return Response(text, media_type="text/javascript; charset=utf-8", headers=headers)


@router.post("/{slug}/events")
def page_events(request: Request, slug: str, body: Annotated[bytes, Depends(raw_body)]) -> Response:
    """Take what leitstand.js sends: no cookie is read, and nothing is taken from who wants not to be tracked."""
    _check_origin(request)
    with transaction() as session:
        companion = _open(slug, session)
    _rates(request).count_page_events(companion.companion_id, client_address(request))
    visitor, events = read_page_events(body)
    if not TOKEN.fullmatch(visitor):
        raise InvalidInput("The visitor's id is not one of the snippet's.")
    if wants_no_tracking(request):
        return Response(status_code=NO_CONTENT)
    with _at(companion) as session:
        batch = take_page_events(
            session,
            workspace_id=companion.workspace_id,
            companion_id=companion.companion_id,
            actor_key=visitor_key(companion.workspace_id, visitor),
            events=events,
            user_agent=request.headers.get("user-agent", ""),
        )
    return Response(batch.to_json(), media_type="application/json", headers={"Cache-Control": "no-store"})


def show(request: Request) -> HTMLResponse:
    """The visitor's run, begun where there is none; a program sees the beginning and leaves no trace."""
    slug = request.path_params["slug"]
    notice = pages.STALE if request.query_params.get("moved") else ""
    if not is_person(request):
        with transaction() as session:
            run = preview(session, _open(slug, session))
        return pages.run_page(run, slug=slug, visitor=None)
    with transaction() as session:
        companion = _open(slug, session)
        visitor = visitor_of(request, companion.workspace_id)
        found = find_run(session, companion=companion, visitor=visitor.key)
        if found is None:
            _rates(request).count_new_visitor(companion.companion_id, client_address(request))
        run = found or open_run(session, companion=companion, visitor=visitor.key)
    page = pages.run_page(run, slug=slug, visitor=visitor, notice=notice)
    remember(page, companion.workspace_id, visitor)
    return page


def answer(request: Request, form: Form) -> Response:
    """Take an answer, then send the visitor to where the run stands."""
    slug = request.path_params["slug"]
    with transaction() as session:
        companion, visitor, run_id = _sender(request, session, slug, form)
        revision = _whole(form.last("revision"))
        given = (
            form.last("answer")
            if "answer" in form.values
            else _given(session, companion, visitor, revision, form)
        )
        stands = Stands(
            companion=companion, visitor=visitor.key, run_id=run_id, revision=revision, answer=given
        )
        outcome = _taken(session, stands, visitor, quoting=False)
    if outcome is Outcome.ASKS:
        return _ask_and_go_on(request, stands, visitor)
    return _answered(slug, outcome)


def _ask_and_go_on(request: Request, stands: Stands, visitor: Visitor) -> Response:
    """Ask a space, with no transaction open meanwhile, then take the question with the reply."""
    companion = stands["companion"]
    try:
        prepared = prepare(
            get_engine(),
            **stands,
            allow=lambda: _rates(request).count_question(companion.workspace_id, visitor.key),
        )
    except TooManyRequests as error:
        with _at(companion) as session:
            return _mend(session, companion, visitor, stands["answer"], error)
    with _at(companion) as session:
        outcome = _taken(session, stands, visitor, prepared=prepared)
    return _answered(companion.slug, outcome)


def _taken(
    session: Session,
    stands: Stands,
    visitor: Visitor,
    *,
    prepared: Prepared | None = None,
    quoting: bool = True,
) -> Outcome | HTMLResponse:
    """What became of an answer; where the step does not take it, its page once more."""
    try:
        return give_answer(session, **stands, prepared=prepared, quoting=quoting)[0]
    except InvalidInput as error:
        return _mend(session, stands["companion"], visitor, stands["answer"], error)
    except Conflict:
        return Outcome.STALE


def _answered(slug: str, outcome: Outcome | HTMLResponse) -> Response:
    """Where an answer leads, once it is committed."""
    if isinstance(outcome, Response):
        return outcome
    STEPS.labels(outcome.value).inc()
    return _go_on(slug, moved=outcome is Outcome.STALE)


@router.post("/{slug}/again")
def again(request: Request, slug: str, form: Annotated[Form, Depends(form_of)]) -> Response:
    """Begin anew on the published version."""
    with transaction() as session:
        companion, visitor, run_id = _sender(request, session, slug, form)
        start_again(session, companion=companion, visitor=visitor.key, run_id=run_id)
    return _go_on(slug, moved=False)


def _sender(request: Request, session: Session, slug: str, form: Form) -> tuple[OpenCompanion, Visitor, UUID]:
    """Whose form this is, once it is sure that it came from a page of ours and that there are not too many.

    Raises:
        Forbidden: another site sent it, or the browser keeps no cookies.
    """
    refuse_other_sites(request)
    companion = _open(slug, session)
    visitor = visitor_of(request, companion.workspace_id)
    try:
        run_id = UUID(form.last("run"))
    except ValueError:
        run_id = UUID(int=0)
    if not form_token_fits(visitor, run_id, form.last("token")):
        raise Forbidden(
            "This page is out of date, or your browser keeps no cookies.",
            hint="Open the link again; it needs one cookie to know where you are.",
        )
    _rates(request).count_answer(companion.companion_id, visitor.key)
    return companion, visitor, run_id


def _given(
    session: Session,
    companion: OpenCompanion,
    visitor: Visitor,
    revision: int,
    form: Form,
) -> str:
    """What the fields of a control send, as the step takes it at which the visitor's run stood on the page."""
    run = open_run(session, companion=companion, visitor=visitor.key)
    answered = run.state.answers
    step = run.flow.step(answered[revision].step if 0 <= revision < len(answered) else run.state.step)
    return from_form(step, form.values) if isinstance(step, Input) else ""


def _check_origin(request: Request) -> None:
    """Refuse pages that are not on the list, where there is one.

    Raises:
        Forbidden: the browser names another origin, or none.
    """
    allowed = get_settings().snippet_origins.split()
    if allowed and request.headers.get("origin", "") not in allowed:
        raise Forbidden(
            "This page may not send events.",
            hint="An operator can add its origin to LEITSTAND_SNIPPET_ORIGINS.",
        )


def _mend(
    session: Session,
    companion: OpenCompanion,
    visitor: Visitor,
    given: str,
    error: InvalidInput | TooManyRequests,
) -> HTMLResponse:
    """The page of the step once more, with what was given and why it was not taken."""
    STEPS.labels("refused").inc()
    run = open_run(session, companion=companion, visitor=visitor.key)
    page = pages.run_page(
        run, slug=companion.slug, visitor=visitor, problem=error.said, given=given, status=error.status
    )
    if "retry_after" in error.details:
        page.headers["Retry-After"] = str(error.details["retry_after"])
    return page


def _go_on(slug: str, *, moved: bool) -> RedirectResponse:
    return RedirectResponse(f"/c/{slug}{'?moved=1' if moved else ''}#now", status_code=SEE_OTHER)


@contextmanager
def _at(companion: OpenCompanion) -> Iterator[Session]:
    """A transaction that sees the rows of the companion's workspace alone."""
    with transaction() as session:
        row_security.enter(session, workspace_id=companion.workspace_id)
        yield session


def _open(slug: str, session: Session) -> OpenCompanion:
    """The published companion; from here on the transaction sees the rows of its workspace alone."""
    if not SLUG.fullmatch(slug):
        raise NotFound("There is nothing at this address.")
    return find_open(session, slug, enter=True)


def _rates(request: Request) -> Rates:
    rates: Rates = request.app.state.rates
    return rates


def _whole(text: str) -> int:
    """A revision; -1, which no run has, for anything else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else -1


async def _show(request: Request) -> Response:
    return await run_in_threadpool(show, request)


async def _answer(request: Request) -> Response:
    return await run_in_threadpool(answer, request, await form_of(request))


def create() -> FastAPI:
    """The application; `uvicorn --factory api.runtime:create`."""
    for name in pages.STATIC_TYPES:
        pages.asset(name)
    app = create_app("runtime", title="Leitstand runtime", pages=pages.problem_page)
    app.state.rates = Rates(get_settings())
    # Innermost, so that its answers carry the headers and the request id that the others give.
    app.user_middleware.append(Middleware(LimitBody, largest=LARGEST_BODY, pages=pages.problem_page))
    app.include_router(router)
    # Routes of Starlette: how FastAPI finds the arguments of a function takes as long as all that these ask the database.
    app.add_route("/c/{slug}", _show, methods=["GET"])
    app.add_route("/c/{slug}/answer", _answer, methods=["POST"])
    return app
