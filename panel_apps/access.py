"""Who may open a dashboard: asked at its page, at its WebSocket, and again while it is open."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from bokeh.document import Document
from bokeh.server.auth import AuthPolicy
from bokeh.server.contexts import ApplicationContext
from bokeh.server.request import ServerRequest
from bokeh.util.token import get_session_id
from sqlalchemy.orm import Session

from leitstand.db.engine import get_engine, transaction
from leitstand.errors import NotSignedIn
from leitstand.identity.access import Principal, require
from leitstand.identity.sessions import COOKIE, authenticate
from leitstand.words import DEFAULT, LANGUAGES, best_of

PREFIX = "/insights"
WEBSOCKET = "/ws"
# Set in a request's state when its page could not be made.
FAILED = "dashboard_failed"
TOKEN_HEADER = "sec-websocket-protocol"  # noqa: S105 - the header that carries Bokeh's token


@dataclass(frozen=True)
class Visitor:
    """A signed-in person at one dashboard: what the page knows of them, and how to ask again.

    The cookie's token stays in this process: it is in no document, log or message to the browser. What the page is
    written in, it stays while it is open.
    """

    principal: Principal
    permission: str
    token: str = field(repr=False)
    language: str = DEFAULT

    def confirm(self, *, acting: bool = True) -> Principal:
        """Who this is now.

        Args:
            acting: whether the person did something; a page that refreshes itself keeps no session alive.

        Raises:
            NotSignedIn: the session has ended since.
            Forbidden: the role no longer allows it.
        """
        # Without a commit, the put-off end of the session is rolled back.
        with transaction() if acting else Session(get_engine()) as session:
            principal = authenticate(session, self.token)
        if principal is None or principal.session_id != self.principal.session_id:
            raise NotSignedIn("Your session has ended.", hint="Sign in again to go on.")
        require(principal, self.permission)
        return principal


class Present(Visitor):
    """A visitor whose presence needs no further question: this very request has asked it."""

    def confirm(self, *, acting: bool = True) -> Principal:
        """Who this is."""
        return self.principal


class SessionCookiePolicy(AuthPolicy):
    """Authenticate the requests of dashboards by the session cookie of the web pages.

    A document belongs to the session that opened it: its token is refused to every other one.

    Args:
        permissions: the permission that each application (a path under `PREFIX`) needs.
    """

    def __init__(self, permissions: Mapping[str, str]) -> None:
        super().__init__(self.visitor, login_url=sign_in_address)
        self.permissions = permissions
        self.applications: Mapping[str, ApplicationContext] = {}

    def visitor(self, request: ServerRequest) -> Visitor | None:
        """Who sent the request; None when nobody is signed in or the document is another session's.

        Raises:
            Forbidden: the person's role does not allow this dashboard.
        """
        cookie = request.cookies.get(COOKIE)
        path = request.path.removesuffix("/").removesuffix(WEBSOCKET).removeprefix(PREFIX)
        if cookie is None or path not in self.permissions:
            return None
        with transaction() as session:
            principal = authenticate(session, cookie.value)
        if principal is None or not self._owns_document(request, path, principal):
            return None
        require(principal, self.permissions[path])
        return Visitor(principal, self.permissions[path], cookie.value, _language(request, principal))

    def _owns_document(self, request: ServerRequest, path: str, principal: Principal) -> bool:
        """Whether the document that a WebSocket asks for is the principal's own, or is still to be made."""
        protocols = request.headers.get(TOKEN_HEADER, "").split(",")
        if len(protocols) != 2 or path not in self.applications:
            return True
        wanted = get_session_id(protocols[1].strip())
        opened = [held.document for held in self.applications[path].sessions if held.id == wanted]
        return all(visitor_of(document).principal.session_id == principal.session_id for document in opened)


def _language(request: ServerRequest, principal: Principal) -> str:
    """The person's own, else what the browser asks for."""
    own = principal.language
    return own if own in LANGUAGES else best_of(request.headers.get("accept-language", ""))


def request_of(document: Document) -> Any:
    """The request that opened a document.

    Raises:
        NotSignedIn: there was none.
    """
    request = getattr(document.session_context, "request", None)
    if request is None:
        raise NotSignedIn("This dashboard was opened without a session.", hint="Open it from the navigation.")
    return request


def visitor_of(document: Document) -> Visitor:
    """Who opened a document.

    Raises:
        NotSignedIn: nobody that the policy let in.
    """
    visitor = getattr(request_of(document), "user", None)
    if not isinstance(visitor, Visitor):
        raise NotSignedIn("This dashboard was opened without a session.", hint="Open it from the navigation.")
    return visitor


def sign_in_address(request: ServerRequest) -> str:
    """Where someone who is not signed in is sent, and back from."""
    return f"/sign-in?next={quote(request.uri, safe='')}"
