"""The insights service over HTTP and WebSocket: who gets in, what of Panel is there, and what is never told."""

import base64
import json
import re
import zlib

import pytest
from bokeh.util.token import generate_jwt_token, generate_session_id
from fastapi import FastAPI
from sqlalchemy.orm import Session
from starlette.testclient import WebSocketDenialResponse
from starlette.websockets import WebSocketDisconnect

from leitstand.db.models import Workspace
from leitstand.errors import PreconditionFailed
from leitstand.identity import sessions
from leitstand.identity.sessions import COOKIE
from leitstand.settings import Settings, get_settings
from panel_apps import serve
from panel_apps.overview import app as overview
from tests.integration.panel_apps.conftest import sign_in_as
from tests.integration.panel_apps.support import Log
from tests.people import Visitor, join

pytestmark = pytest.mark.long

PAGE, SOCKET = "/insights/overview", "/insights/overview/ws"
OPERATIONS = "/insights/operations"
TOKEN = re.compile(r'"token":"([^"]+)"')
ACK = "ACK"


def token_of(html: str) -> str:
    found = TOKEN.search(html)
    assert found is not None
    return found.group(1)


def payload_of(token: str) -> str:
    """What a document's token tells whoever reads it."""
    body = token.split(".", maxsplit=1)[0]
    decoded = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    packed = decoded.pop("__bk__zlib_", "")
    inner = (
        zlib.decompress(base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4))).decode()
        if packed
        else ""
    )
    return json.dumps(decoded) + inner


def opens(visitor: Visitor, token: str, *, path: str = SOCKET, origin: str = "http://testserver") -> bool:
    """Whether the WebSocket of a document lets the visitor in."""
    try:
        with visitor.client.websocket_connect(
            path, subprotocols=["bokeh", token], headers={"origin": origin}
        ) as socket:
            return json.loads(socket.receive_text())["msgtype"] == ACK
    except (WebSocketDisconnect, WebSocketDenialResponse):
        return False


def test_the_page_has_the_shell_and_the_headers_of_every_page(analyst: Visitor, log: Log) -> None:
    answer = analyst.get(PAGE)
    assert answer.status_code == 200
    assert 'aria-current="page"' in answer.text
    assert "<title>Overview · Leitstand</title>" in answer.text
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    assert answer.headers["x-frame-options"] == "SAMEORIGIN"
    assert answer.headers["x-request-id"]
    assert answer.headers["cache-control"] == "no-store"


def test_everything_the_page_names_is_on_this_origin_and_there(analyst: Visitor, log: Log) -> None:
    html = analyst.get(PAGE).text
    assert not re.findall(r"""(?:src|href)=["']?(?:https?:)?//""", html)
    named = set(re.findall(r"""(?:src|href)="(/insights/[^"]+)""", html))
    assert sum(address.endswith(".js") or ".js?" in address for address in named) >= 4
    for address in {one for one in named if not one.startswith("/insights/export/")} - {
        "/insights/overview",
        "/insights",
    }:
        answer = analyst.client.get(address)
        assert answer.status_code == 200, address
        assert "immutable" in answer.headers["cache-control"], address


def test_who_is_not_signed_in_is_sent_to_sign_in_and_back(app: FastAPI, analyst: Visitor) -> None:
    analyst.client.cookies.clear()
    answer = analyst.get(f"{PAGE}?range=all&zone=UTC")
    assert answer.status_code == 302
    assert answer.headers["location"] == "/sign-in?next=%2Finsights%2Foverview%3Frange%3Dall%26zone%3DUTC"
    analyst.client.cookies.set(COOKIE, "forged")
    assert analyst.get(PAGE).status_code == 302


def test_a_role_without_the_permission_gets_403_and_no_document(
    app: FastAPI, session: Session, workspace: Workspace, analyst: Visitor
) -> None:
    sign_in_as(analyst, session, join(session, workspace, role="member"))
    answer = analyst.get(PAGE)
    assert answer.status_code == 403
    assert "may not open insights" in answer.text
    assert not TOKEN.search(answer.text)
    assert not list(app.state.dashboards["/overview"].sessions)


def test_operations_need_their_own_permission(
    session: Session, workspace: Workspace, analyst: Visitor
) -> None:
    assert analyst.get(OPERATIONS).status_code == 403
    sign_in_as(analyst, session, join(session, workspace, role="operator"))
    assert analyst.get(OPERATIONS).status_code == 200


def test_the_session_cookie_is_nowhere_in_the_page(analyst: Visitor, log: Log) -> None:
    cookie = analyst.client.cookies[COOKIE]
    html = analyst.get(PAGE).text
    assert cookie not in html
    told = payload_of(token_of(html))
    assert cookie not in told
    assert "cookie" not in told.lower().replace('"cookies": {}', "")


def test_the_socket_opens_for_the_document_s_own_session(analyst: Visitor, log: Log) -> None:
    assert opens(analyst, token_of(analyst.get(PAGE).text))


def test_the_socket_is_closed_to_a_foreign_origin(analyst: Visitor, log: Log) -> None:
    token = token_of(analyst.get(PAGE).text)
    for origin in ("http://evil.test", "http://testserver.evil.test", "null", "http://testserver:81"):
        assert not opens(analyst, token, origin=origin), origin


def test_the_socket_is_closed_without_a_session_and_after_it_ended(
    analyst: Visitor, log: Log, session: Session
) -> None:
    token = token_of(analyst.get(PAGE).text)
    cookie = analyst.client.cookies[COOKIE]
    analyst.client.cookies.clear()
    assert not opens(analyst, token)
    analyst.client.cookies.set(COOKIE, cookie)
    sessions.sign_out(session, principal=analyst.principal)
    session.commit()
    assert not opens(analyst, token)


def test_a_document_is_closed_to_every_other_session(
    session: Session, workspace: Workspace, analyst: Visitor, log: Log
) -> None:
    token = token_of(analyst.get(PAGE).text)
    sign_in_as(analyst, session, join(session, workspace, role="owner"))
    assert not opens(analyst, token)
    assert opens(analyst, token_of(analyst.get(PAGE).text))


def test_a_forged_token_opens_nothing(analyst: Visitor, log: Log) -> None:
    for secret in (b"guessed", None):
        identifier = generate_session_id(secret_key=secret, signed=secret is not None)
        forged = generate_jwt_token(identifier, secret_key=secret, signed=secret is not None)
        assert not opens(analyst, forged)
    assert not opens(analyst, "nonsense")


def test_the_socket_needs_the_permission_of_its_own_dashboard(analyst: Visitor, log: Log) -> None:
    assert not opens(analyst, token_of(analyst.get(PAGE).text), path="/insights/operations/ws")


@pytest.mark.parametrize(
    "path",
    [
        "/insights/overview/autoload.js?bokeh-autoload-element=x",
        "/insights/overview/metadata",
        "/insights/components/panel",
        "/insights/favicon.ico",
        "/insights/liveness",
        "/insights/session_info",
        "/insights/admin",
        "/insights/",
        "/insights/nothing",
        "/insights/overview/static/app.py",
        "/insights/static/../serve.py",
        "/insights/static/js/%2e%2e/%2e%2e/%2e%2e/auth.py",
    ],
)
def test_the_rest_of_panel_is_not_there(analyst: Visitor, path: str) -> None:
    assert analyst.client.get(path).status_code == 404


def test_what_is_not_there_is_said_in_the_readers_language(analyst: Visitor) -> None:
    page = analyst.client.get("/insights/nothing", headers={"Accept-Language": "de"})
    assert "Diese Seite gibt es nicht." in page.text


@pytest.mark.parametrize("query", ["bokeh-session-id=x", "bokeh-token=x", "bokeh-session-id="])
def test_an_address_can_not_name_a_session(analyst: Visitor, app: FastAPI, query: str) -> None:
    assert analyst.get(f"{PAGE}?{query}").status_code == 422
    assert analyst.client.get(PAGE, headers={"Bokeh-Session-Id": "x"}).status_code == 422
    assert not list(app.state.dashboards["/overview"].sessions)


def test_only_reading_is_possible(analyst: Visitor) -> None:
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        assert analyst.client.request(method, PAGE).status_code == 405


def test_a_fault_is_a_page_without_its_traceback(
    analyst: Visitor, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise RuntimeError("the secret of the fault")

    monkeypatch.setattr(overview, "OverviewView", fail)
    answer = analyst.get(PAGE)
    assert answer.status_code == 500
    assert "could not be opened" in answer.text
    told = answer.text + capsys.readouterr().out
    assert "the secret of the fault" not in told
    assert "Traceback" not in told


def test_without_a_session_secret_it_does_not_start(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEITSTAND_SESSION_SECRET", "")
    get_settings.cache_clear()
    with pytest.raises(PreconditionFailed):
        serve.create()


def test_health_is_told_as_by_every_service(analyst: Visitor) -> None:
    assert analyst.client.get("/livez").json()["serviceId"] == "insights"
    assert analyst.client.get("/readyz").json()["status"] == "pass"
    analyst.get(PAGE)
    assert 'route="/insights/overview"' in analyst.client.get("/metrics").text
