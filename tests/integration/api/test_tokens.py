"""Tokens through the API: made by people, used by programs."""

from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from leitstand.db.models import AuditEntry, IdempotencyKey
from leitstand.telemetry.logs import configure_logging, get_logger
from tests.integration.api.conftest import Caller, Program

Make = Callable[..., Program]


def test_a_person_makes_a_token_and_a_program_uses_it(call: Caller, session: Session) -> None:
    made = call("POST", "/tokens", {"name": "robot", "permissions": ["item:write", "item:read"], "days": 30})
    assert made.status_code == 201
    assert made.headers["cache-control"] == "no-store"
    robot = Program(TestClient(call.visitor.client.app), made.json()["token"])
    me = robot("GET", "/me").json()
    assert (me["email"], me["permissions"], me["csrf_token"]) == (
        "owner@demo.test",
        ["item:read", "item:write"],
        "",
    )
    assert robot("POST", "/companions", {"title": "By a robot"}).status_code == 201
    actor = session.scalar(select(AuditEntry.actor).where(AuditEntry.action == "companion.create"))
    assert actor == "owner@demo.test (token robot)"
    (listed,) = call("GET", "/tokens").json()
    assert "token" not in listed and listed["last_used_at"]
    assert call("DELETE", f"/tokens/{listed['id']}").status_code == 204
    refused = robot("GET", "/me")
    assert (refused.status_code, refused.headers["www-authenticate"]) == (401, 'Bearer realm="Leitstand"')
    assert "revoked" in refused.json()["detail"] and refused.json()["hint"]


def test_a_token_may_no_more_than_it_was_given(program: Make) -> None:
    robot = program("item:read")
    assert robot("GET", "/companions").status_code == 200
    refused = robot("POST", "/companions", {"title": "x"})
    assert (refused.status_code, "item:write" in refused.json()["hint"]) == (403, True)
    for method, path, body in (
        ("GET", "/tokens", None),
        ("POST", "/tokens", {"name": "x", "permissions": ["item:read"]}),
        ("PATCH", "/me", {"name": "Robot"}),
    ):
        assert robot(method, path, body).status_code == 403, path


def test_a_bad_token_is_refused_even_beside_a_good_cookie(call: Caller) -> None:
    bad = {"Authorization": "Bearer nonsense", "X-CSRF-Token": call.visitor.csrf}
    assert call.visitor.client.get("/api/v1/me", headers=bad).status_code == 401
    other_scheme = {"Authorization": "Basic eDp5"}
    assert call.visitor.client.get("/api/v1/me", headers=other_scheme).status_code == 200


def test_a_cookie_still_needs_the_csrf_token(call: Caller, program: Make) -> None:
    without = call.visitor.client.post("/api/v1/companions", json={"title": "x"})
    assert without.status_code == 403
    assert program("item:write", "item:read")("POST", "/companions", {"title": "x"}).status_code == 201


def test_a_token_opens_no_page(program: Make) -> None:
    from web.app import create

    pages = TestClient(create(), follow_redirects=False)
    secret = program("item:read").secret
    assert pages.get("/companions", headers={"Authorization": f"Bearer {secret}"}).status_code == 401


def test_the_query_service_takes_tokens_too(program: Make) -> None:
    from api.query import create

    service = TestClient(create())
    for permission, status in (("item:read", 200), ("events:write", 403)):
        named = {"Authorization": f"Bearer {program(permission).secret}"}
        assert service.get("/query/v1/search?q=anything", headers=named).status_code == status
    assert service.get("/query/v1/search?q=x", headers={"Authorization": "Bearer x"}).status_code == 401


def test_no_token_reaches_a_log(program: Make, capsys: pytest.CaptureFixture[str]) -> None:
    secret = program("item:read").secret
    configure_logging("test")
    log = get_logger("test")
    log.info(f"asked with {secret}", path=f"/x?key={secret}", headers={"Authorization": f"Bearer {secret}"})
    try:
        raise ValueError(secret)
    except ValueError:
        log.exception("failed")
    said = capsys.readouterr().err
    assert "failed" in said
    assert secret not in said


def test_the_kept_answer_does_not_hold_the_secret(call: Caller, session: Session) -> None:
    client, headers = call.visitor.client, {"X-CSRF-Token": call.visitor.csrf, "Idempotency-Key": "one"}
    new = {"name": "robot", "permissions": ["item:read"]}
    first = client.post("/api/v1/tokens", json=new, headers=headers)
    again = client.post("/api/v1/tokens", json=new, headers=headers)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json() | {"token": None}
    assert first.json()["token"].encode() not in (session.scalar(select(IdempotencyKey.body)) or b"")
    assert len(call("GET", "/tokens").json()) == 1
