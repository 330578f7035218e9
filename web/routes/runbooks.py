"""Runbooks: the list, one to read and start, a run to follow live, and to sign or resume."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Request, Response

from leitstand.errors import Conflict, InvalidInput, LeitstandError, NotFound
from leitstand.identity.access import Principal, require
from leitstand.runbooks import actions, texts
from leitstand.runbooks.library import RUNBOOKS, Notebook, find, notebooks
from leitstand.runbooks.parameters import for_real
from leitstand.runbooks.runs import RunView, list_runs, view
from leitstand.settings import get_settings
from leitstand.words import msg
from serving.session import CurrentPrincipal, Db, require_csrf
from web.pages import fragment, go, render, wants_fragment

router = APIRouter(prefix="/operations/runbooks", include_in_schema=False)
CSRF = [Depends(require_csrf)]
# How long it may be the core says, so that the form comes back with what was typed.
Typed = Annotated[str, Form()]
FIELD = "p-"
SHOWN = 20


async def given_fields(request: Request) -> dict[str, str]:
    """The parameters of a form, as text."""
    form = await request.form()
    return {name.removeprefix(FIELD): str(value) for name, value in form.items() if name.startswith(FIELD)}


@router.get("")
def runbooks_page(request: Request, session: Db, principal: CurrentPrincipal) -> Response:
    """Every runbook, when it is for, and the newest runs."""
    require(principal, "operations:read")
    books = [(one, texts.when_to_use(texts.text_of(one))) for one in notebooks(get_settings(), RUNBOOKS)]
    return render(
        request,
        principal,
        "runbooks.html",
        area="operations",
        books=books,
        runs=list_runs(session, limit=SHOWN),
    )


@router.get("/runs/{run_id}")
def run_page(request: Request, session: Db, principal: CurrentPrincipal, run_id: UUID) -> Response:
    """One run: where it is, or how it ended, with its evidence."""
    return _run(request, session, principal, run_id)


@router.get("/runs/{run_id}/state")
def run_state(request: Request, session: Db, principal: CurrentPrincipal, run_id: UUID) -> Response:
    """Where it is now; once it has ended, htmx loads the whole page."""
    require(principal, "operations:read")
    if not wants_fragment(request):
        return go(f"/operations/runbooks/runs/{run_id}")
    run = view(session, run_id)
    answer = fragment(principal, "parts/run_state.html", run=run)
    if not run.under_way:
        answer.headers["HX-Refresh"] = "true"
    return answer


@router.post("/runs/{run_id}/sign", dependencies=CSRF)
def sign(
    request: Request, session: Db, principal: CurrentPrincipal, run_id: UUID, note: Typed = ""
) -> Response:
    """Sign a run off."""
    text = note.replace("\r\n", "\n")
    try:
        actions.sign_off(session, get_settings(), run_id, note=text, principal=principal)
    except (Conflict, InvalidInput) as error:
        return _run(request, session, principal, run_id, error=error, at="sign", typed=text)
    return go(f"/operations/runbooks/runs/{run_id}", "signed")


@router.post("/runs/{run_id}/resume", dependencies=CSRF)
def resume(
    request: Request, session: Db, principal: CurrentPrincipal, run_id: UUID, typed: Typed = ""
) -> Response:
    """Go on with a run."""
    try:
        new_id = actions.resume(session, get_settings(), run_id, typed=typed.strip(), principal=principal)
    except (Conflict, InvalidInput) as error:
        return _run(request, session, principal, run_id, error=error, at="resume", typed=typed)
    return go(f"/operations/runbooks/runs/{new_id}", "run-started")


@router.get("/{name}")
def runbook_page(
    request: Request, session: Db, principal: CurrentPrincipal, name: str, dry_run: UUID | None = None
) -> Response:
    """One runbook: its text, the form that starts it, and its newest runs.

    Args:
        dry_run: the run whose plan is to be done for real; the form is filled in as it says.
    """
    book = find(get_settings(), RUNBOOKS, name)
    if dry_run is None:
        return _book(request, session, principal, book)
    require(principal, "operations:read")
    plan = view(session, dry_run)
    if plan.row.kind != book.name:
        raise NotFound(
            msg("No run of {name} has the id {dry_run}.", name=book.name, dry_run=dry_run),
            hint="Open it from the list of runs.",
        )
    return _book(request, session, principal, book, given=plan.real_parameters, plan=plan)


@router.post("/{name}", dependencies=CSRF)
def start(
    request: Request,
    session: Db,
    principal: CurrentPrincipal,
    name: str,
    given: Annotated[dict[str, str], Depends(given_fields)],
    typed: Typed = "",
) -> Response:
    """Start a runbook."""
    book = find(get_settings(), RUNBOOKS, name)
    try:
        values = _changed(book, given)
        run_id = actions.start(
            session, get_settings(), book.name, values, typed=typed.strip(), principal=principal
        )
    except (Conflict, InvalidInput) as error:
        return _book(request, session, principal, book, given=given, typed=typed, error=error)
    return go(f"/operations/runbooks/runs/{run_id}", "run-started")


def _changed(book: Notebook, given: dict[str, str]) -> dict[str, object]:
    """What differs from the defaults; an empty field has its default. Unknown names stay, to be refused."""
    defaults = {one.name: one.default for one in texts.parameters_of(book)}
    return {
        name: text
        for name, text in given.items()
        if text and text.lower() != str(defaults.get(name, "")).lower()
    }


def _book(
    request: Request,
    session: Db,
    principal: Principal,
    book: Notebook,
    *,
    given: dict[str, str] | None = None,
    plan: RunView | None = None,
    typed: str = "",
    error: LeitstandError | None = None,
) -> Response:
    require(principal, "operations:read")
    return render(
        request,
        principal,
        "runbook.html",
        area="operations",
        book=book,
        text=texts.html_of(texts.without_title(texts.text_of(book))),
        parameters=texts.parameters_of(book),
        gate=texts.GATE,
        given=given or {},
        plan=plan,
        typed=typed,
        runs=list_runs(session, name=book.name, limit=SHOWN),
        error=error,
    )


def _run(
    request: Request,
    session: Db,
    principal: Principal,
    run_id: UUID,
    *,
    error: LeitstandError | None = None,
    at: str = "",
    typed: str = "",
) -> Response:
    """The run's page; `at` is the form that `error` is of, `typed` what was typed into it."""
    require(principal, "operations:read")
    run = view(session, run_id)
    return render(
        request,
        principal,
        "run.html",
        area="operations",
        run=run,
        for_real=for_real(run.row.parameters),
        alone=not actions.others_may(session, principal),
        error=error,
        at=at,
        typed=typed,
    )
