"""Signing in and out in a browser, and what does not get past it."""

import re
from collections.abc import Callable

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from leitstand.db.models import SignInAttempt, UserSession, Workspace
from leitstand.identity.sessions import COOKIE
from leitstand.settings import Settings
from tests.people import HTML, PASSWORD, Visitor, join, visit


@pytest.fixture
def stranger(app: FastAPI, session: Session, workspace: Workspace) -> TestClient:
    """A browser in which nobody is signed in; the owner exists."""
    join(session, workspace, email="olga@example.test")
    return TestClient(app, follow_redirects=False, raise_server_exceptions=False, headers=HTML)


def enter(client: TestClient, *, password: str = PASSWORD, next: str = "/", **headers: str) -> object:
    return client.post(
        "/sign-in", data={"email": "olga@example.test", "password": password, "next": next}, headers=headers
    )


def test_a_page_leads_a_stranger_to_the_sign_in_and_back(stranger: TestClient) -> None:
    asked = stranger.get("/companions?q=a%26b&status=draft")
    assert asked.status_code == 303
    form = stranger.get(asked.headers["location"])
    assert form.status_code == 200
    hidden = re.search(r'name="next" value="([^"]*)"', form.text)
    assert hidden
    wanted = hidden[1].replace("&amp;", "&")
    assert wanted == "/companions?q=a%26b&status=draft"
    done = enter(stranger, next=wanted)
    assert (done.status_code, done.headers["location"]) == (303, wanted)
    assert stranger.get("/").status_code == 200


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(stranger: TestClient) -> None:
    cookie = enter(stranger).headers["set-cookie"]
    assert cookie.startswith(f"{COOKIE}=")
    assert {"HttpOnly", "Path=/", "SameSite=lax"} <= set(cookie.split("; "))


@pytest.mark.parametrize(
    "wanted",
    [
        "https://evil.test/",
        "//evil.test",
        "/\\evil.test",
        "\\\\evil.test",
        "javascript:alert(1)",
        "",
        "evil.test",
        "/a\nb",
        "/\tevil",
        "http:/evil",
    ],
)
def test_nobody_is_sent_to_another_site(stranger: TestClient, wanted: str) -> None:
    assert enter(stranger, next=wanted).headers["location"] == "/"
    assert stranger.get("/sign-in", params={"next": wanted}).headers["location"] == "/"


def test_a_wrong_password_is_refused_and_counted(stranger: TestClient, session: Session) -> None:
    refused = enter(stranger, password="wrong one here")
    assert refused.status_code == 401
    assert "do not belong together" in refused.text
    assert "set-cookie" not in refused.headers
    assert 'value="olga@example.test"' in refused.text
    assert "wrong one here" not in refused.text
    assert len(session.scalars(select(SignInAttempt)).all()) == 2


def test_many_wrong_passwords_bring_a_pause(stranger: TestClient, settings: Settings) -> None:
    for _ in range(settings.sign_in_attempts):
        assert enter(stranger, password="wrong one here").status_code == 401
    paused = enter(stranger)
    assert paused.status_code == 429
    assert 0 < int(paused.headers["retry-after"]) <= 900
    assert "Wait" in paused.text


def test_a_form_of_another_site_does_not_sign_in(stranger: TestClient) -> None:
    assert enter(stranger, **{"Sec-Fetch-Site": "cross-site"}).status_code == 403


def test_signing_in_again_gives_a_new_token_and_ends_the_old(stranger: TestClient, session: Session) -> None:
    enter(stranger)
    first = stranger.cookies[COOKIE]
    enter(stranger)
    assert stranger.cookies[COOKIE] != first
    ended = [
        entry.ended_at is not None for entry in session.scalars(select(UserSession).order_by(UserSession.id))
    ]
    assert ended == [True, False]


def test_signing_out_needs_the_token_of_the_form(visitor: Visitor) -> None:
    assert visitor.client.post("/sign-out").status_code == 403
    assert visitor.get("/").status_code == 200
    assert visitor.post("/sign-out").headers["location"] == "/sign-in"


def test_a_signed_out_cookie_is_worth_nothing(visitor: Visitor) -> None:
    token = visitor.client.cookies[COOKIE]
    visitor.post("/sign-out")
    visitor.client.cookies.set(COOKIE, token)
    assert visitor.get("/").headers["location"] == "/sign-in"


@pytest.mark.parametrize(
    "path",
    ["/settings/profile", "/companions", "/companions/new", "/favorites/{id}/add", "/operations/backups"],
)
def test_no_write_without_the_csrf_token(visitor: Visitor, path: str) -> None:
    path = path.format(id=visitor.principal.person_id)
    for fields in ({}, {"csrf": ""}, {"csrf": "0" * 64}):
        assert visitor.client.post(path, data=fields, headers=HTML).status_code in {403, 405}


def test_pages_of_a_person_are_not_kept_by_the_browser(visitor: Visitor) -> None:
    page = visitor.get("/")
    assert page.headers["cache-control"] == "no-store"
    policy = page.headers["content-security-policy"]
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy


def test_htmx_is_told_to_leave_a_page_whose_session_has_ended(visitor: Visitor) -> None:
    visitor.client.cookies.clear()
    answer = visitor.client.get(
        "/home/popular", headers={"HX-Request": "true", "HX-Current-URL": "http://testserver/companions?q=x"}
    )
    assert answer.status_code == 401
    assert answer.headers["hx-redirect"] == "/sign-in?next=/companions%3Fq%3Dx"


def test_the_gate_of_the_operators_tools(
    visitor: Visitor, visitor_as: Callable[[str], Visitor], app: FastAPI
) -> None:
    asked = {**HTML, "X-Forwarded-Uri": "/prefect/runs?x=1"}
    assert visitor.client.get("/auth/operator").status_code == 204
    assert visitor_as("member").client.get("/auth/operator", headers=asked).status_code == 403
    nobody = TestClient(app, follow_redirects=False)
    assert nobody.get("/auth/operator").status_code == 401
    to_sign_in = nobody.get("/auth/operator", headers=asked)
    assert to_sign_in.status_code == 302
    assert to_sign_in.headers["location"] == "/sign-in?next=/prefect/runs%3Fx%3D1"


def test_the_sessions_of_a_person_can_be_ended(visitor: Visitor, app: FastAPI, session: Session) -> None:
    person = session.get_one(type(session.scalars(select(UserSession)).one()), visitor.principal.session_id)
    assert person
    other = visit(app, session, join_again(session, visitor))
    assert visitor.post("/settings/profile/sessions/end-others").status_code == 303
    assert other.get("/").status_code == 303
    assert visitor.get("/settings/profile").status_code == 200


def join_again(session: Session, visitor: Visitor) -> object:
    from leitstand.db.models import Person

    return session.get_one(Person, visitor.principal.person_id)


def test_changing_the_password_ends_the_other_sessions(
    visitor: Visitor, app: FastAPI, session: Session
) -> None:
    other = visit(app, session, join_again(session, visitor))
    new = "nine loud pigeons today"
    for fields, message in (
        ({"current": "wrong", "new": new, "again": new}, "current password is not right"),
        ({"current": PASSWORD, "new": new, "again": "another"}, "differ"),
        ({"current": PASSWORD, "new": "password1234", "again": "password1234"}, "first that would be tried"),
    ):
        refused = visitor.post("/settings/profile/password", **fields)
        assert refused.status_code == 422
        assert message in refused.text
    assert visitor.post("/settings/profile/password", current=PASSWORD, new=new, again=new).status_code == 303
    assert other.get("/").status_code == 303
    assert visitor.get("/").status_code == 200


def test_the_theme_is_kept(visitor: Visitor) -> None:
    assert visitor.post("/settings/profile", name="Olga Other", theme="dark").status_code == 303
    page = visitor.get("/settings/profile").text
    assert '<html lang="en" data-theme="dark">' in page
    assert "Olga Other" in page
    assert visitor.post("/settings/profile", name="", theme="dark").status_code == 422
    assert visitor.post("/settings/profile", name="Olga", theme="pink").status_code == 422
