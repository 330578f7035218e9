"""What stands before Panel: only its pages, sockets and scripts pass, and refusals become pages of the shell."""

from collections.abc import Collection
from urllib.parse import parse_qs

from sqlalchemy.exc import OperationalError
from starlette.requests import Request
from starlette.responses import HTMLResponse

from leitstand.db.engine import transaction
from leitstand.errors import InvalidInput, LeitstandError, NotFound, TooLarge, Unavailable
from leitstand.identity.access import Principal
from leitstand.identity.sessions import COOKIE, authenticate
from leitstand.telemetry.logs import get_logger
from leitstand.words import msg
from panel_apps.access import FAILED, PREFIX, WEBSOCKET
from serving.language import language_of
from serving.observe import App, Message, Receive, Scope, Send
from serving.shell import page

STATIC = f"{PREFIX}/static/"
# Ours, served by FastAPI; all else under the prefix is Panel's.
OWN_ROUTES = (f"{PREFIX}/assets/", f"{PREFIX}/export/")
FOREVER = (b"cache-control", b"public, max-age=31536000, immutable")
# Bokeh would open the session that these name; a page here always makes its own.
NAMED_SESSION = ("bokeh-session-id", "bokeh-token")
# Panel reads digits of an address as a number, which Python does not with more than 4,300 of them.
LONGEST_QUERY = 4_000
POLICY_VIOLATION = 1008
OK, SERVER_ERROR = 200, 500
log = get_logger("dashboards")


class Route:
    """What the metrics call a request to a dashboard."""

    def __init__(self, path: str) -> None:
        self.path = path


class Gate:
    """Let through what dashboards need of Panel (page, WebSocket, scripts); the rest of it is not there.

    Args:
        documents: the addresses of the dashboards' pages.
    """

    def __init__(self, app: App, documents: Collection[str]) -> None:
        self.app = app
        self.documents = frozenset(documents)
        self.sockets = frozenset(path + WEBSOCKET for path in documents)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._socket(scope, receive, send)
        elif scope["type"] == "http" and scope["path"].startswith(f"{PREFIX}/"):
            await self._request(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def _request(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        if path.startswith(STATIC):
            scope["route"] = Route(STATIC)
            await self.app(scope, receive, _kept_for_ever(scope, send))
        elif path in self.documents:
            scope["route"] = Route(path)
            await self._document(scope, receive, send)
        elif path.startswith(OWN_ROUTES):
            await self.app(scope, receive, send)
        else:
            await _refusal(scope, NotFound("There is no such page."))(scope, receive, send)

    async def _document(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            _check_address(scope)
            await self.app(scope, receive, _honest(scope, send))
        except LeitstandError as error:
            await _refusal(scope, error)(scope, receive, send)
        except OperationalError:
            log.exception("the database did not answer")
            await _refusal(
                scope, Unavailable("The database does not answer.", hint="Try again in a moment.")
            )(scope, receive, send)

    async def _socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A refused socket is closed before it is accepted, which the browser sees as 403."""
        if scope["path"] in self.sockets:
            try:
                _check_address(scope)
                await self.app(scope, receive, send)
                return
            except LeitstandError as error:
                log.info("socket refused", path=scope["path"], reason=error.kind)
        await send({"type": "websocket.close", "code": POLICY_VIOLATION})


def _check_address(scope: Scope) -> None:
    if len(scope["query_string"]) > LONGEST_QUERY:
        raise TooLarge(
            msg("What an address chooses has at most {most:,} characters.", most=LONGEST_QUERY),
            hint="Open the dashboard from the navigation.",
        )
    headers = {name.lower() for name, _ in scope["headers"]}
    arguments = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    if any(name in arguments or name.encode() in headers for name in NAMED_SESSION):
        raise InvalidInput(
            "The address names the session of a page.", hint="Open the dashboard from the navigation."
        )


def _honest(scope: Scope, send: Send) -> Send:
    """Panel answers 200 also with a page that says that it failed."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start" and scope.get("state", {}).get(FAILED):
            message["status"] = SERVER_ERROR
        await send(message)

    return sending


def _kept_for_ever(scope: Scope, send: Send) -> Send:
    """Let browsers keep scripts whose address carries their version; Bokeh says nothing about it."""
    versioned = b"v=" in scope["query_string"]

    async def keeping(message: Message) -> None:
        if versioned and message["type"] == "http.response.start" and message["status"] == OK:
            message["headers"] = [*message["headers"], FOREVER]
        await send(message)

    return keeping


def _refusal(scope: Scope, error: LeitstandError) -> HTMLResponse:
    """The error as a page of the shell, with the navigation of whoever is signed in."""
    principal = _signed_in(scope)
    html = page(
        "problem.html",
        principal,
        area="insights",
        language=language_of(principal),
        status=error.status,
        title=error.title,
        detail=error.message,
        hint=error.hint,
        request_id=scope.get("state", {}).get("request_id", ""),
    )
    return HTMLResponse(html, status_code=error.status)


def _signed_in(scope: Scope) -> Principal | None:
    try:
        with transaction() as session:
            return authenticate(session, Request(scope).cookies.get(COOKIE))
    except OperationalError:
        return None
