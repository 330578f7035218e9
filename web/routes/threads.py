"""Agent threads: the list, one to follow live with its steps, and what is done with it."""

from collections.abc import Callable
from hashlib import sha256
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel

from leitstand.agents import apps, starting, threads
from leitstand.agents.output import View, view_of
from leitstand.catalogue import contents
from leitstand.catalogue.listing import LARGEST_PAGE
from leitstand.catalogue.listing import Filters as ItemFilters
from leitstand.catalogue.listing import find as find_items
from leitstand.conversations.reading import of_thread
from leitstand.db.models import Item, Person
from leitstand.errors import LeitstandError
from leitstand.identity.access import Principal, require_member
from leitstand.identity.members import everybody
from leitstand.jobs.listing import newest_with
from leitstand.limits.room import plan_of
from serving.session import CurrentPrincipal, Db, require_csrf
from web.form_values import REFUSALS, end_of_day, one_id, start_of_day
from web.pages import fragment, go, render, wants_fragment

router = APIRouter(prefix="/threads", include_in_schema=False)
CSRF = [Depends(require_csrf)]
NOTHING_NEW = 204


class Chosen(BaseModel):
    """The filters as they stand in the address."""

    status: str = ""
    agent: str = ""
    app: str = ""
    person: str = ""
    since: str = ""
    until: str = ""

    def filters(self, zone: str) -> threads.Filters:
        """The same as the core takes them; days begin and end in a zone."""
        return threads.Filters(
            self.status, one_id(self.agent), one_id(self.app), one_id(self.person), start_of_day(self.since, zone),
            end_of_day(self.until, zone),
        )  # fmt: skip


@router.get("")
def list_page(
    request: Request,
    session: Db,
    principal: CurrentPrincipal,
    chosen: Annotated[Chosen, Depends()],
    cursor: Annotated[str | None, Query()] = None,
) -> Response:
    """One's own, and those of everybody for whoever manages the workspace."""
    require_member(principal)
    page, filters, error = threads.Page((), None), threads.Filters(), None
    try:
        filters = chosen.filters(principal.local_zone)
        page = threads.find(session, principal=principal, filters=filters, cursor=cursor)
    except REFUSALS as refused:
        error = refused
    following = {name: value for name, value in chosen.model_dump().items() if value}
    return render(
        request, principal, "threads.html", area="threads", page=page, chosen=chosen, filters=filters, error=error,
        following=following, statuses=threads.STATUSES, agents=_items(session, principal, "agent"),
        apps=_items(session, principal, "app"), people=_people(session, principal), currency=currency_of(session, principal),
    )  # fmt: skip


@router.get("/{thread_id}")
def thread_page(request: Request, session: Db, principal: CurrentPrincipal, thread_id: UUID) -> Response:
    """One thread: where it is, or how it ended, with its steps."""
    return _page(request, session, principal, thread_id)


@router.get("/{thread_id}/state")
def thread_state(
    request: Request, session: Db, principal: CurrentPrincipal, thread_id: UUID, seen: str = ""
) -> Response:
    """Where it is now; nothing while that is what was seen. Once it has ended, htmx loads the whole page."""
    opened = threads.open_one(session, principal=principal, thread_id=thread_id)
    if not wants_fragment(request):
        return go(f"/threads/{thread_id}")
    if not opened.row.ended and _mark(opened) == seen:
        return Response(status_code=NOTHING_NEW)
    answer = fragment(principal, "parts/thread_state.html", **_shown(session, principal, opened))
    if opened.row.ended:
        answer.headers["HX-Refresh"] = "true"
    return answer


@router.post("/{thread_id}/cancel", dependencies=CSRF)
def cancel(request: Request, session: Db, principal: CurrentPrincipal, thread_id: UUID) -> Response:
    """End it."""

    def deed() -> str:
        starting.cancel(session, principal=principal, thread_id=thread_id)
        return f"/threads/{thread_id}"

    return _try(request, session, principal, thread_id, deed, "thread-cancelled")


@router.post("/{thread_id}/retry", dependencies=CSRF)
def retry(request: Request, session: Db, principal: CurrentPrincipal, thread_id: UUID) -> Response:
    """Do the same once more, as a new thread."""

    def deed() -> str:
        again = apps.retry(session, principal=principal, thread_id=thread_id)
        return f"/threads/{again.id}"

    return _try(request, session, principal, thread_id, deed, "thread-begun")


@router.post("/{thread_id}/steps/{step_id}/approve", dependencies=CSRF)
def approve(
    request: Request, session: Db, principal: CurrentPrincipal, thread_id: UUID, step_id: UUID
) -> Response:
    """Let a tool be used."""
    return _decide(request, session, principal, thread_id, step_id, approved=True)


@router.post("/{thread_id}/steps/{step_id}/refuse", dependencies=CSRF)
def refuse(
    request: Request, session: Db, principal: CurrentPrincipal, thread_id: UUID, step_id: UUID
) -> Response:
    """Let a tool not be used; the agent is told so."""
    return _decide(request, session, principal, thread_id, step_id, approved=False)


def currency_of(session: Db, principal: Principal) -> str:
    """In which costs are."""
    return plan_of(session, principal.workspace_id).currency


def _decide(
    request: Request, session: Db, principal: Principal, thread_id: UUID, step_id: UUID, *, approved: bool
) -> Response:
    def deed() -> str:
        starting.decide(session, principal=principal, thread_id=thread_id, step_id=step_id, approve=approved)
        return f"/threads/{thread_id}"

    notice = "thread-approved" if approved else "thread-refused"
    return _try(request, session, principal, thread_id, deed, notice)


def _try(
    request: Request, session: Db, principal: Principal, thread_id: UUID, deed: Callable[[], str], notice: str
) -> Response:
    """Do it and go where that leads, or show the page with what is in the way."""
    try:
        with session.begin_nested():
            address = deed()
    except REFUSALS as error:
        return _page(request, session, principal, thread_id, error=error)
    return go(address, notice)


def _page(
    request: Request,
    session: Db,
    principal: Principal,
    thread_id: UUID,
    *,
    error: LeitstandError | None = None,
) -> Response:
    opened = threads.open_one(session, principal=principal, thread_id=thread_id)
    job = None
    if principal.may("operations:read"):
        job = newest_with(session, starting.JOB, thread_id=str(thread_id))
    return render(
        request, principal, "thread.html", area="threads", error=error, job=job,
        conversation=of_thread(session, principal=principal, thread_id=thread_id), **_shown(session, principal, opened)
    )  # fmt: skip


def _shown(session: Db, principal: Principal, opened: threads.Opened) -> dict[str, Any]:
    """What the page and the piece that follows it live have in common."""
    return {
        "opened": opened, "row": opened.row, "thread": opened.row.thread, "mark": _mark(opened),
        "view": _view(session, opened.row), "currency": currency_of(session, principal),
        "writes": principal.may("item:write"),
    }  # fmt: skip


def _view(session: Db, row: threads.Row) -> View:
    """The output as the thread's app shows it."""
    kind = contents.stored(session, row.app).document()["output"] if row.app else "text"
    return view_of(row.thread.output, kind)


def _mark(opened: threads.Opened) -> str:
    """What changes whenever anything does that the piece shows."""
    thread = opened.row.thread
    told: list[Any] = [thread.status, thread.cancel_requested_at, thread.output, thread.cost]
    told += [(step.status, step.attempts, step.result, step.cost) for step in opened.steps]
    return sha256(repr(told).encode(errors="replace")).hexdigest()[:16]


def _items(session: Db, principal: Principal, kind: str) -> list[Item]:
    wanted = ItemFilters(kind=kind, sort="title")
    return list(find_items(session, principal=principal, filters=wanted, limit=LARGEST_PAGE).items)


def _people(session: Db, principal: Principal) -> list[Person]:
    """Whose threads may be asked for."""
    if not (threads.sees_all(principal) and principal.may("member:manage")):
        return []
    return everybody(session, principal=principal)
