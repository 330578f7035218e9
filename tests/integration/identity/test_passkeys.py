"""Passkeys: made, used and removed, and everything with which one does not sign in."""

import json

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from leitstand.db.models import Passkey, Person, SignInAttempt, Workspace
from leitstand.errors import Conflict, InvalidInput, NotFound, TooManyRequests
from leitstand.identity import passkeys, steps
from leitstand.identity.access import ROLES, Principal
from leitstand.identity.sessions import SignedIn, SignInFailed
from leitstand.settings import Settings, get_settings
from tests.authenticator import Authenticator
from tests.people import PASSWORD, join

ORIGIN = "https://leitstand.test"


@pytest.fixture
def person(session: Session, workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Person:
    monkeypatch.setenv("LEITSTAND_PUBLIC_URL", ORIGIN)
    get_settings.cache_clear()
    return join(session, workspace, email="olga@example.test")


@pytest.fixture
def principal(person: Person, workspace: Workspace) -> Principal:
    return Principal(person.id, workspace.id, person.name, person.email, "owner", ROLES["owner"])


@pytest.fixture
def device(session: Session, principal: Principal) -> Authenticator:
    """A passkey that is registered."""
    made = Authenticator(ORIGIN)
    register(session, principal, made)
    return made


def register(session: Session, principal: Principal, device: Authenticator) -> Passkey:
    begun = passkeys.begin_registration(session, principal=principal, password=PASSWORD)
    made = passkeys.register(
        session, principal=principal, token=begun.token, answer=device.create(begun.options), name="Laptop"
    )
    session.commit()
    return made


def use(session: Session, answer: str, token: str) -> SignedIn:
    signed_in = passkeys.sign_in(session, token=token, answer=answer, address="a", user_agent="x")
    session.commit()
    return signed_in


def test_a_passkey_signs_in_and_counts(session: Session, principal: Principal, device: Authenticator) -> None:
    for number in (1, 2):
        begun = passkeys.begin_sign_in(session)
        asked = json.loads(begun.options)
        assert asked["userVerification"] == "required" and not asked.get("allowCredentials")
        signed_in = use(session, device.get(begun.options), begun.token)
        assert signed_in.principal.person_id == principal.person_id
        kept = session.scalars(select(Passkey)).one()
        assert (kept.sign_count, kept.name, kept.last_used_at is not None) == (number, "Laptop", True)


def test_registering_asks_for_the_password_a_discoverable_key_and_no_second_of_the_same(
    session: Session, principal: Principal, device: Authenticator
) -> None:
    with pytest.raises(InvalidInput):
        passkeys.begin_registration(session, principal=principal, password="wrong one here")
    begun = passkeys.begin_registration(session, principal=principal, password=PASSWORD)
    asked = json.loads(begun.options)
    assert asked["authenticatorSelection"]["residentKey"] == "required"
    assert asked["authenticatorSelection"]["userVerification"] == "required"
    assert len(asked["excludeCredentials"]) == 1 and asked["rp"]["id"] == "leitstand.test"
    with pytest.raises(Conflict):
        passkeys.register(
            session, principal=principal, token=begun.token, answer=device.create(begun.options), name="Again"
        )


@pytest.mark.parametrize(
    "wrong", ["origin", "verification", "challenge", "text", "empty", "long", "name", "step"]
)
def test_a_registration_with_anything_wrong_is_refused(
    session: Session, principal: Principal, wrong: str
) -> None:
    device = Authenticator(
        "https://evil.test" if wrong == "origin" else ORIGIN, verified=wrong != "verification"
    )
    begun = passkeys.begin_registration(session, principal=principal, password=PASSWORD)
    options = begun.options
    if wrong == "challenge":
        options = passkeys.begin_registration(session, principal=principal, password=PASSWORD).options
    answer = {"text": "{]", "empty": "", "long": "x" * 30_000}.get(wrong) or device.create(options)
    name, token = ("" if wrong == "name" else "Laptop"), ("x" if wrong == "step" else begun.token)
    with pytest.raises(steps.StepExpired if wrong == "step" else InvalidInput):
        passkeys.register(
            session, principal=principal, token=token, answer="" if wrong == "empty" else answer, name=name
        )


@pytest.mark.parametrize(
    "wrong",
    [
        "unknown",
        "origin",
        "verification",
        "signature",
        "user",
        "challenge",
        "count",
        "disabled",
        "text",
        "removed",
    ],
)
def test_whatever_is_wrong_the_refusal_is_the_same_and_counts(
    session: Session, principal: Principal, device: Authenticator, person: Person, wrong: str
) -> None:
    begun = passkeys.begin_sign_in(session)
    options = begun.options
    if wrong == "origin":
        device.origin = "https://leitstand.test.evil.test"
    elif wrong == "verification":
        device.verified = False
    elif wrong == "unknown":
        device = Authenticator(ORIGIN, user=device.user)
    elif wrong == "challenge":
        options = passkeys.begin_sign_in(session).options
    elif wrong == "count":
        session.scalars(select(Passkey)).one().sign_count = 9
    elif wrong == "disabled":
        sessions_disable(session, person)
    elif wrong == "removed":
        passkeys.remove(session, principal=principal, passkey_id=session.scalars(select(Passkey.id)).one())
    session.commit()
    changed = {"signature": {"signature": b"x"}, "user": {"userHandle": b"0" * 16}}.get(wrong, {})
    answer = '{"id": 1}' if wrong == "text" else device.get(options, **changed)
    with pytest.raises(SignInFailed, match="does not sign in here"):
        use(session, answer, begun.token)
    session.commit()
    assert len(session.scalars(select(SignInAttempt)).all()) == 1


def sessions_disable(session: Session, person: Person) -> None:
    from leitstand.identity.freezing import enable

    enable(session, email=person.email, enabled=False, actor="test")


def test_a_challenge_belongs_to_one_browser_and_holds_once(session: Session, device: Authenticator) -> None:
    begun = passkeys.begin_sign_in(session)
    answer = device.get(begun.options)
    for token in (None, "x"):
        with pytest.raises(steps.StepExpired):
            passkeys.sign_in(session, token=token, answer=answer, address="a", user_agent="")
    use(session, answer, begun.token)
    with pytest.raises(steps.StepExpired):
        use(session, answer, begun.token)


def test_many_failures_of_an_address_bring_a_pause(
    session: Session, device: Authenticator, settings: Settings
) -> None:
    for _ in range(settings.sign_in_attempts):
        with pytest.raises(SignInFailed):
            use(session, "{}", passkeys.begin_sign_in(session).token)
        session.commit()
    begun = passkeys.begin_sign_in(session)
    with pytest.raises(TooManyRequests):
        use(session, device.get(begun.options), begun.token)


def test_nobody_removes_what_is_somebody_elses(
    session: Session, principal: Principal, device: Authenticator, workspace: Workspace
) -> None:
    other = join(session, workspace, role="admin")
    somebody = Principal(other.id, workspace.id, "", "", "admin", ROLES["admin"])
    passkey = session.scalars(select(Passkey)).one()
    with pytest.raises(NotFound):
        passkeys.remove(session, principal=somebody, passkey_id=passkey.id)
    assert passkeys.list_passkeys(session, principal=somebody) == []
    assert passkeys.list_passkeys(session, principal=principal) == [passkey]


@pytest.mark.parametrize(
    ("url", "why"),
    [("https://a.test", ""), ("http://localhost:8400", ""), ("http://a.test", "https"), ("http://127.0.0.1:1", "name"),
     ("https://[::1]", "name")],
)  # fmt: skip
def test_where_passkeys_can_be_used(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, url: str, why: str
) -> None:
    monkeypatch.setattr(passkeys, "get_settings", lambda: settings.model_copy(update={"public_url": url}))
    assert passkeys.unavailable() == why
