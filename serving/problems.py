"""Errors as RFC 9457 problem details, or as pages where a service has pages."""

from collections.abc import Callable
from dataclasses import dataclass, field

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import DataError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match

from leitstand.errors import InvalidInput, LeitstandError
from leitstand.telemetry.logs import get_logger
from leitstand.words import N_
from serving.observe import App, Message, Receive, Scope, Send

MEDIA_TYPE = "application/problem+json"
UNAUTHORIZED, NOT_ALLOWED = 401, 405
METHODS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE")
# PostgreSQL: character not in repertoire, untranslatable character.
NOT_KEPT = ("22021", "22P05")
NO_TEXT = N_("It has a character in it that no text has.")
log = get_logger("problems")


@dataclass(frozen=True)
class Problem:
    """What went wrong, for whatever shows it."""

    status: int
    kind: str
    title: str
    detail: str
    hint: str = ""
    request_id: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    members: dict[str, object] = field(default_factory=dict)


# Gives the page of a problem, or None where the request should have the problem document.
ProblemPages = Callable[[Request, Problem], Response | None]


def problem(
    request: Request,
    *,
    status: int,
    kind: str,
    title: str,
    detail: str,
    headers: dict[str, str] | None = None,
    **members: object,
) -> JSONResponse:
    """One problem document; `type` is a relative reference into the error documentation."""
    body = {
        "type": f"/docs/errors#{kind}",
        "title": title,
        "status": status,
        "detail": detail,
        "instance": request.url.path,
        "request_id": request_id_of(request),
    }
    return JSONResponse(body | members, status_code=status, media_type=MEDIA_TYPE, headers=headers)


def answer_of(request: Request, error: LeitstandError) -> Response:
    """The problem document of an error that is an answer: what was done before it is kept."""
    return _answer(request, _of_domain(request, error), None)


def of_unexpected(request: Request) -> Response:
    """The problem document of what nobody expected."""
    return _answer(request, _of_unexpected(request), None)


def request_id_of(request: Request) -> str:
    """The id under which this request is logged."""
    return str(request.scope.get("state", {}).get("request_id", ""))


def install(app: FastAPI, pages: ProblemPages | None = None) -> None:
    """Make every error of `app` a problem document, or the page that `pages` gives for it."""

    @app.exception_handler(LeitstandError)
    def domain(request: Request, error: LeitstandError) -> Response:
        return _answer(request, _of_domain(request, error), pages)

    @app.exception_handler(RequestValidationError)
    def validation(request: Request, error: RequestValidationError) -> Response:
        return _answer(request, _of_validation(request, error), pages)

    @app.exception_handler(DataError)
    @app.exception_handler(UnicodeEncodeError)
    def characters(request: Request, error: DataError | UnicodeEncodeError) -> Response:
        if not _is_of_characters(error):
            raise error
        return _answer(request, _of_domain(request, InvalidInput(NO_TEXT)), pages)

    @app.exception_handler(HTTPException)
    def http(request: Request, error: HTTPException) -> Response:
        detail = str(error.detail)
        headers = dict(error.headers or {})
        if error.status_code == NOT_ALLOWED:
            headers["Allow"] = ", ".join(sorted(_allowed(request)))
        found = Problem(
            error.status_code, "http", detail, detail, request_id=request_id_of(request), headers=headers
        )
        return _answer(request, found, pages)

    app.add_middleware(Unexpected, pages=pages)


def _is_of_characters(error: DataError | UnicodeEncodeError) -> bool:
    """Whether a text could not be kept: it has a NUL, or half of a surrogate pair, deep in a document."""
    if isinstance(error, UnicodeEncodeError):
        return error.reason == "surrogates not allowed"
    told = str(error.orig)
    return getattr(error.orig, "sqlstate", None) in NOT_KEPT or "NUL" in told or "surrogate" in told


def _allowed(request: Request) -> set[str]:
    """The methods that the path is served for; the framework tells only those of its first route."""
    return {
        method
        for method in METHODS
        if any(
            route.matches({**request.scope, "method": method})[0] is Match.FULL
            for route in request.app.router.routes
        )
    }


class Unexpected:
    """Answer what nothing else caught; inside of the other middleware, so that the answer has its headers too."""

    def __init__(self, app: App, pages: ProblemPages | None = None) -> None:
        self.app = app
        self.pages = pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = False

        async def noting(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, receive, noting)
        except Exception:
            if started:
                raise
            log.exception("unexpected error")
            request = Request(scope, receive)
            answer = await run_in_threadpool(_answer, request, _of_unexpected(request), self.pages)
            await answer(scope, receive, send)


def _answer(request: Request, found: Problem, pages: ProblemPages | None) -> Response:
    page = _page(request, found, pages) if pages else None
    if page is not None:
        return page
    members = found.members | ({"hint": found.hint} if found.hint else {})
    return problem(
        request,
        status=found.status,
        kind=found.kind,
        title=found.title,
        detail=found.detail,
        headers=found.headers or None,
        **members,
    )


def _page(request: Request, found: Problem, pages: ProblemPages) -> Response | None:
    """The page, or None where even that fails: then the problem document tells what went wrong first."""
    try:
        return pages(request, found)
    except Exception:
        log.exception("the page of a problem failed")
        return None


def _of_domain(request: Request, error: LeitstandError) -> Problem:
    headers = {"Retry-After": str(error.details["retry_after"])} if "retry_after" in error.details else {}
    if error.status == UNAUTHORIZED and getattr(request.app.state, "takes_tokens", False):
        headers["WWW-Authenticate"] = 'Bearer realm="Leitstand"'
    return Problem(
        error.status,
        error.kind,
        error.title,
        error.message,
        error.hint,
        request_id_of(request),
        headers,
        error.details,
    )


def _of_validation(request: Request, error: RequestValidationError) -> Problem:
    errors = [
        {"pointer": "/" + "/".join(str(part) for part in issue["loc"]), "detail": issue["msg"]}
        for issue in error.errors()
    ]
    detail = N_("The request does not have the form that is needed.")
    return Problem(
        422,
        "invalid-input",
        "Invalid input",
        detail,
        request_id=request_id_of(request),
        members={"errors": errors},
    )


def _of_unexpected(request: Request) -> Problem:
    detail = N_("An unexpected error; it was logged under this request id.")
    return Problem(500, "internal", N_("Something went wrong"), detail, request_id=request_id_of(request))
