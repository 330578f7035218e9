"""Idempotency-Key: a request that is sent again is done once."""

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from sqlalchemy import func, select, text, update
from sqlalchemy.orm import Session

from api import app as application
from leitstand.catalogue import companions
from leitstand.db.engine import transaction
from leitstand.db.models import IdempotencyKey, Item
from leitstand.identity import idempotency
from serving.idempotency import OnceRoute
from serving.session import SAFE_METHODS
from tests.integration.api.conftest import Caller, Program

NEW = {"title": "Made once"}
Make = Callable[..., Program]


@pytest.fixture
def robot(program: Make) -> Program:
    return program("item:read", "item:write")


def titles(session: Session) -> list[str]:
    session.rollback()
    return list(session.scalars(select(Item.title).order_by(Item.title)))


def test_every_writing_endpoint_honours_a_key(app: FastAPI) -> None:
    writing = [
        route
        for module in application.MODULES
        for route in module.router.routes
        if isinstance(route, APIRoute) and set(route.methods) - SAFE_METHODS
    ]
    assert len(writing) > 15
    # Stripe has no session that a key could belong to; the id of its message does the same (see tests of billing).
    own_ids = {"/billing/stripe"}
    assert {route.path for route in writing if not isinstance(route, OnceRoute)} == own_ids
    described = app.openapi()["paths"]
    for methods in described.values():
        for method, operation in methods.items():
            named = any(one["name"] == "Idempotency-Key" for one in operation.get("parameters", []))
            assert named == (method.upper() not in SAFE_METHODS)


def test_the_same_request_gets_the_same_answer_and_does_nothing(robot: Program, session: Session) -> None:
    first = robot("POST", "/companions", NEW, Idempotency_Key="k1")
    again = robot("POST", "/companions", NEW, Idempotency_Key="k1")
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert (again.status_code, again.content) == (201, first.content)
    for name in ("location", "content-type"):
        assert again.headers[name] == first.headers[name]
    assert titles(session) == ["Made once"]
    robot("POST", "/companions", NEW, Idempotency_Key="k2")
    assert titles(session) == ["Made once", "Made once"]


def test_other_verbs_too(robot: Program) -> None:
    made = robot("POST", "/companions", NEW).json()["id"]
    renamed = [
        robot("PATCH", f"/companions/{made}", {"title": title}, Idempotency_Key=key)
        for title, key in (("B", "1"), ("C", "2"), ("B", "1"))
    ]
    assert [answer.json()["title"] for answer in renamed] == ["B", "C", "B"]
    assert robot("GET", f"/companions/{made}").json()["title"] == "C"
    assert robot("PUT", f"/favorites/{made}", Idempotency_Key="3").status_code == 204
    assert robot("DELETE", f"/companions/{made}", Idempotency_Key="4").status_code == 204
    gone = robot("DELETE", f"/companions/{made}", Idempotency_Key="4")
    assert (gone.status_code, gone.content, gone.headers["idempotency-replayed"]) == (204, b"", "true")


def test_another_request_with_the_key_is_refused(robot: Program, session: Session) -> None:
    robot("POST", "/companions", NEW, Idempotency_Key="k")
    for path, body in (("/companions", {"title": "Other"}), ("/companions?x=1", NEW)):
        refused = robot("POST", path, body, Idempotency_Key="k")
        assert (refused.status_code, refused.headers["content-type"]) == (422, "application/problem+json")
        assert "another request" in refused.json()["detail"]
    assert titles(session) == ["Made once"]


def test_an_error_is_not_kept(robot: Program, session: Session) -> None:
    refused = robot("POST", "/companions", {"title": ""}, Idempotency_Key="k")
    assert refused.status_code == 422
    assert session.scalar(select(func.count()).select_from(IdempotencyKey)) == 0
    assert robot("POST", "/companions", NEW, Idempotency_Key="k").status_code == 201


def test_a_key_that_is_none(robot: Program, session: Session) -> None:
    for key in ("", "x" * 256, "with blank", "ümlaut"):
        named = {"Authorization": f"Bearer {robot.secret}", "Idempotency-Key": key.encode("latin-1")}
        refused = robot.client.post("/api/v1/companions", json=NEW, headers=named)
        assert (refused.status_code, titles(session)) == (422, []), key


def test_a_key_belongs_to_who_uses_it(program: Make, call: Caller, session: Session) -> None:
    one, other = program("item:read", "item:write"), program("item:read", "item:write")
    for sender in (one, other):
        assert "idempotency-replayed" not in sender("POST", "/companions", NEW, Idempotency_Key="k").headers
    assert len(titles(session)) == 2


def test_a_cookie_needs_its_csrf_token_before_anything_is_given_again(call: Caller) -> None:
    client, headers = call.visitor.client, {"Idempotency-Key": "k"}
    signed = headers | {"X-CSRF-Token": call.visitor.csrf}
    assert client.post("/api/v1/companions", json=NEW, headers=signed).status_code == 201
    assert client.post("/api/v1/companions", json=NEW, headers=headers).status_code == 403
    again = client.post("/api/v1/companions", json=NEW, headers=signed)
    assert again.headers["idempotency-replayed"] == "true"


def test_while_the_first_is_running_the_second_is_told_to_wait(
    robot: Program, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    working, go_on = threading.Event(), threading.Event()
    create = companions.create

    def slow(*args: object, **more: object) -> object:
        made = create(*args, **more)  # type: ignore[arg-type]
        working.set()
        assert go_on.wait(20)
        return made

    monkeypatch.setattr(companions, "create", slow)
    answers = []
    first = threading.Thread(
        target=lambda: answers.append(robot("POST", "/companions", NEW, Idempotency_Key="k"))
    )
    first.start()
    try:
        assert working.wait(20)
        second = robot("POST", "/companions", NEW, Idempotency_Key="k")
    finally:
        go_on.set()
        first.join(20)
    assert (second.status_code, second.headers["retry-after"]) == (409, "1")
    assert "still running" in second.json()["detail"]
    assert answers[0].status_code == 201
    assert robot("POST", "/companions", NEW, Idempotency_Key="k").content == answers[0].content
    assert titles(session) == ["Made once"]


def test_work_and_answer_are_there_both_or_neither(
    robot: Program, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the process is killed between: the connection ends before the commit."""
    keep = idempotency.keep

    def keep_and_die(inner: Session, *args: object) -> None:
        keep(inner, *args)  # type: ignore[arg-type]
        pid = inner.scalar(text("SELECT pg_backend_pid()"))
        with transaction() as other:
            other.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid})

    monkeypatch.setattr("serving.idempotency.keep", keep_and_die)
    assert robot("POST", "/companions", NEW, Idempotency_Key="k").status_code == 500
    assert titles(session) == []
    monkeypatch.setattr("serving.idempotency.keep", keep)
    again = robot("POST", "/companions", NEW, Idempotency_Key="k")
    assert (again.status_code, "idempotency-replayed" in again.headers) == (201, False)
    assert titles(session) == ["Made once"]


def test_after_a_day_the_key_is_free_and_is_purged(robot: Program, session: Session) -> None:
    robot("POST", "/companions", NEW, Idempotency_Key="k")
    robot("POST", "/companions", NEW, Idempotency_Key="old")
    aged = update(IdempotencyKey).values(created_at=IdempotencyKey.created_at - timedelta(hours=25))
    session.execute(aged)
    session.commit()
    fresh = robot("POST", "/companions", {"title": "Another"}, Idempotency_Key="k")
    assert (fresh.status_code, "idempotency-replayed" in fresh.headers) == (201, False)
    assert idempotency.purge(session) == 1
    session.commit()
    assert session.scalars(select(IdempotencyKey.key)).all() == ["k"]
