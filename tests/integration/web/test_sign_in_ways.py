"""The pages of signing in beside a password, as a browser walks them."""

import re
from urllib.parse import urlsplit

import pyotp
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from leitstand.db.models import IdentityProvider, OneTimeCode, Passkey, Person, Workspace
from leitstand.identity import password_resets
from leitstand.identity.sessions import COOKIE
from leitstand.identity.steps import COOKIE as STEP
from leitstand.settings import Settings, get_settings
from tests.authenticator import Authenticator
from tests.identity_provider import CLIENT, SECRET, Provider
from tests.people import HTML, PASSWORD, Visitor, join

ORIGIN = "https://leitstand.test"
PROFILE, SIGN_ON = "/settings/profile", "/settings/integrations/sign-on"


@pytest.fixture
def named(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """An address with a name, which passkeys need."""
    monkeypatch.setenv("LEITSTAND_PUBLIC_URL", ORIGIN)
    get_settings.cache_clear()


def stranger(app: FastAPI) -> TestClient:
    return TestClient(app, follow_redirects=False, raise_server_exceptions=False, headers=HTML)


def turn_codes_on(visitor: Visitor) -> tuple[pyotp.TOTP, list[str]]:
    assert visitor.post(f"{PROFILE}/two-step/begin", password="wrong one here").status_code == 422
    assert (
        visitor.post(f"{PROFILE}/two-step/begin", password=PASSWORD).headers["location"]
        == f"{PROFILE}/two-step"
    )
    page = visitor.get(f"{PROFILE}/two-step").text
    secret = re.search(r'id="secret"[^>]* value="([A-Z2-7 ]+)"', page)
    assert secret
    image = visitor.get(f"{PROFILE}/two-step/qr.svg")
    assert image.headers["content-type"] == "image/svg+xml" and image.headers["cache-control"] == "no-store"
    assert b"<svg" in image.content
    generator = pyotp.TOTP(secret[1].replace(" ", ""))
    assert visitor.post(f"{PROFILE}/two-step/confirm", code="000000").status_code == 422
    shown = visitor.post(f"{PROFILE}/two-step/confirm", code=generator.now())
    codes = re.findall(r"<li><code>([a-z2-7-]{19})</code></li>", shown.text)
    assert (shown.status_code, len(codes), shown.headers["cache-control"]) == (200, 10, "no-store")
    return generator, codes


def test_a_second_step_from_its_set_up_to_its_end(visitor: Visitor, app: FastAPI, session: Session) -> None:
    _, codes = turn_codes_on(visitor)
    assert visitor.get(f"{PROFILE}/two-step").status_code == 404
    assert "10 recovery codes are left" in visitor.get(PROFILE).text
    browser = stranger(app)
    asked = browser.post(
        "/sign-in", data={"email": visitor.principal.email, "password": PASSWORD, "next": "/trash"}
    )
    assert asked.headers["location"] == "/sign-in/code" and COOKIE not in browser.cookies
    cookie = asked.headers["set-cookie"]
    assert {"HttpOnly", "SameSite=lax", "Path=/"} <= set(cookie.split("; "))
    assert browser.get("/").status_code == 303 and browser.get("/sign-in/code").status_code == 200
    assert browser.post("/sign-in/code", data={"code": "nonsense"}).status_code == 422
    assert stranger(app).post("/sign-in/code", data={"code": codes[0]}).status_code == 401
    assert stranger(app).get("/sign-in/code").headers["location"] == "/sign-in"
    elsewhere = {"Sec-Fetch-Site": "cross-site"}
    assert browser.post("/sign-in/code", data={"code": codes[0]}, headers=elsewhere).status_code == 403
    done = browser.post("/sign-in/code", data={"code": codes[0]})
    assert (done.status_code, done.headers["location"]) == (303, "/trash")
    assert browser.get("/").status_code == 200 and STEP not in browser.cookies
    assert visitor.post(f"{PROFILE}/two-step/recovery-codes", password=PASSWORD).status_code == 200
    assert visitor.post(f"{PROFILE}/two-step/off", password="wrong one here").status_code == 422
    assert visitor.post(f"{PROFILE}/two-step/off", password=PASSWORD).status_code == 303
    assert session.scalars(select(OneTimeCode)).all() == []


def test_a_passkey_from_its_making_to_its_removal(
    named: None, visitor: Visitor, app: FastAPI, session: Session
) -> None:
    device = Authenticator(ORIGIN)
    refused = visitor.post(f"{PROFILE}/passkeys/options", password="wrong one here")
    assert (refused.status_code, "not right" in refused.json()["detail"]) == (422, True)
    options = visitor.post(f"{PROFILE}/passkeys/options", password=PASSWORD)
    assert options.headers["content-type"] == "application/json"
    added = visitor.post(
        f"{PROFILE}/passkeys", answer=device.create(options.text), passkey_name="My <laptop>"
    )
    assert added.status_code == 303
    assert "My &lt;laptop&gt;" in visitor.get(PROFILE).text
    again = visitor.post(f"{PROFILE}/passkeys", answer=device.create(options.text), passkey_name="Again")
    assert again.status_code == 422 and "done already" in again.text
    browser = stranger(app)
    assert 'data-passkey="get"' in browser.get("/sign-in").text
    asked = browser.post("/sign-in/passkey/options")
    done = browser.post("/sign-in/passkey", data={"answer": device.get(asked.text), "next": "//evil.test"})
    assert (done.status_code, done.headers["location"]) == (303, "/")
    assert browser.get("/").status_code == 200
    passkey = session.scalars(select(Passkey)).one()
    assert visitor.post(f"{PROFILE}/passkeys/{passkey.id}/remove").status_code == 303
    other = stranger(app)
    asked = other.post("/sign-in/passkey/options")
    refused = other.post("/sign-in/passkey", data={"answer": device.get(asked.text)})
    assert (refused.status_code, "does not sign in here" in refused.text) == (401, True)


def test_where_passkeys_can_not_be_used_the_page_says_why(visitor: Visitor, app: FastAPI) -> None:
    assert "need an address with a name" in visitor.get(PROFILE).text
    assert "data-passkey" not in stranger(app).get("/sign-in").text


def set_up(visitor: Visitor, provider: Provider, **more: str) -> None:
    fields = {
        "name": "Example & Co",
        "issuer": provider.issuer,
        "client": CLIENT,
        "secret": SECRET,
        "domains": "demo.test",
    }
    assert visitor.post(SIGN_ON, **(fields | more)).status_code == 303


def test_single_sign_on_from_its_set_up_to_its_removal(
    visitor: Visitor, app: FastAPI, session: Session, provider: Provider
) -> None:
    refused = visitor.post(SIGN_ON, name="X", issuer="nonsense", client="kept", secret="s", domains="a.test")
    assert (refused.status_code, 'value="kept"' in refused.text, "not a web address" in refused.text) == (
        422,
        True,
        True,
    )
    set_up(visitor, provider)
    page = visitor.get(SIGN_ON).text
    assert "Not tested yet" in page and SECRET not in page and "/sign-in/callback" in page
    assert visitor.post(f"{SIGN_ON}/test").status_code == 303
    assert "Works" in visitor.get(SIGN_ON).text
    provider.calls_itself = "https://other.test"
    visitor.post(f"{SIGN_ON}/test")
    assert "calls itself" in visitor.get(SIGN_ON).text
    provider.calls_itself = ""
    browser = stranger(app)
    link = re.search(
        r'href="(/sign-in/with/[^"]+)">.*Sign in with Example &amp; Co',
        browser.get("/sign-in?next=/trash").text,
    )
    assert link
    there = browser.get(link[1])
    assert there.headers["location"].startswith(f"{provider.issuer}/authorize?tenant=1&")
    back = provider.approve(there.headers["location"], email=visitor.principal.email)
    assert stranger(app).get("/sign-in/callback", params=back).status_code == 401
    done = browser.get("/sign-in/callback", params=back)
    assert (done.status_code, done.headers["location"]) == (303, "/trash")
    assert browser.get("/trash").status_code == 200
    assert browser.get("/sign-in/callback", params=back).status_code == 401
    kept = session.scalars(select(IdentityProvider)).one()
    assert visitor.post(f"{SIGN_ON}/remove").status_code == 303
    assert stranger(app).get(f"/sign-in/with/{kept.id}").status_code == 404


def test_single_sign_on_asks_for_the_code_of_whoever_uses_one(
    visitor: Visitor, app: FastAPI, provider: Provider
) -> None:
    set_up(visitor, provider)
    _, codes = turn_codes_on(visitor)
    browser = stranger(app)
    link = re.search(r'href="(/sign-in/with/[^"]+)"', browser.get("/sign-in").text)
    assert link
    there = browser.get(link[1]).headers["location"]
    asked = browser.get("/sign-in/callback", params=provider.approve(there, email=visitor.principal.email))
    assert asked.headers["location"] == "/sign-in/code" and browser.get("/").status_code == 303
    assert browser.post("/sign-in/code", data={"code": codes[0]}).status_code == 303
    assert browser.get("/").status_code == 200


def test_every_refusal_of_a_provider_looks_the_same(
    visitor: Visitor, app: FastAPI, provider: Provider
) -> None:
    set_up(visitor, provider)
    pages = set()
    for claims in ({"email": "nobody@demo.test"}, {"email_verified": False}, {"nonce": "x"}):
        browser = stranger(app)
        link = re.search(r'href="(/sign-in/with/[^"]+)"', browser.get("/sign-in").text)
        assert link
        there = browser.get(link[1]).headers["location"]
        refused = browser.get("/sign-in/callback", params=provider.approve(there, **claims))
        assert refused.status_code == 401
        pages.add(refused.text)
    assert len(pages) == 1


def test_only_those_who_manage_the_workspace_see_its_provider(visitor_as: object) -> None:
    analyst = visitor_as("analyst")  # type: ignore[operator]
    assert analyst.get(SIGN_ON).status_code == 403
    assert analyst.post(SIGN_ON, name="x").status_code == 403
    assert analyst.post(f"{SIGN_ON}/test").status_code == 403


def test_a_forgotten_password_is_set_anew_by_a_link(
    visitor: Visitor, app: FastAPI, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = stranger(app)
    assert "leitstand person reset-password" in browser.get("/forgot-password").text
    for name, value in (("SMTP_HOST", "127.0.0.1"), ("MAIL_SENDER", "leitstand@example.test")):
        monkeypatch.setenv(f"LEITSTAND_{name}", value)
    get_settings.cache_clear()
    answers = {
        browser.post("/forgot-password", data={"email": email}).text
        for email in (visitor.principal.email, "no@demo.test")
    }
    assert len(answers) == 1 and "Look into your mail" in answers.pop()
    reset = session.scalars(
        select(password_resets.PasswordReset).where(password_resets.PasswordReset.person_id.is_not(None))
    )
    letter = password_resets.letter(reset.one())
    assert letter
    path, new = urlsplit(letter.link).path, "nine loud pigeons today"
    page = browser.get(path)
    assert (page.status_code, page.headers["referrer-policy"]) == (200, "no-referrer")
    assert browser.post(path, data={"new": new, "again": "x"}).status_code == 422
    assert browser.post(path, data={"new": new, "again": new}).headers["location"] == "/sign-in"
    assert browser.get(path).status_code == 404 and visitor.get("/").status_code == 303
    entered = browser.post("/sign-in", data={"email": visitor.principal.email, "password": new})
    assert entered.status_code == 303
    monkeypatch.undo()
    get_settings.cache_clear()


def test_the_profile_keeps_language_zone_and_mails(visitor: Visitor, session: Session) -> None:
    fields = {"name": "Olga", "theme": "dark", "language": "de", "zone": " Asia/Tokyo "}
    assert visitor.post(PROFILE, **fields).status_code == 303
    assert visitor.post(f"{PROFILE}/notifications", sign_in_mails="true").status_code == 303
    person = session.get_one(Person, visitor.principal.person_id)
    session.refresh(person)
    assert (person.language, person.zone, person.sign_in_mails) == ("de", "Asia/Tokyo", True)
    page = visitor.get(PROFILE).text
    assert '<option value="de" selected' in page and 'value="Asia/Tokyo"' in page
    for wrong in ({"language": "xx"}, {"zone": "Mars/Olympus"}):
        refused = visitor.post(PROFILE, **(fields | wrong))
        assert refused.status_code == 422
    assert 'value="Mars/Olympus"' in refused.text
    assert visitor.post(f"{PROFILE}/notifications").status_code == 303
    session.refresh(person)
    assert person.sign_in_mails is False


def test_who_has_no_password_is_offered_nothing_that_needs_one(
    app: FastAPI, session: Session, workspace: Workspace, visitor: Visitor
) -> None:
    person = session.get_one(Person, visitor.principal.person_id)
    person.password_hash = None
    session.commit()
    page = visitor.get(PROFILE).text
    assert 'name="current"' not in page and "/two-step/begin" not in page
    assert visitor.post(f"{PROFILE}/two-step/begin", password="").status_code == 403
    assert join(session, workspace, role="admin")
