"""Single sign-on against a real provider: who is let in, as whom, and everything that a token can have wrong."""

import time
from uuid import UUID

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from leitstand.db.models import AuditEntry, IdentityLink, IdentityProvider, Membership, Person, Workspace
from leitstand.errors import Forbidden, InvalidInput
from leitstand.identity import identity_providers, single_sign_on
from leitstand.identity.access import ROLES, Principal
from leitstand.identity.identity_providers import Draft
from leitstand.identity.sessions import SignedIn, SignInFailed
from leitstand.identity.steps import StepExpired
from leitstand.limits import room
from leitstand.limits.plans import Limits, Plan
from tests.identity_provider import CLIENT, SECRET, Provider
from tests.people import join

NOW = int(time.time())


@pytest.fixture
def owner(session: Session, workspace: Workspace) -> Principal:
    """The owner, whose e-mail the provider knows."""
    person = join(session, workspace, email="olga@example.test", name="Olga Owner")
    return Principal(person.id, workspace.id, person.name, person.email, "owner", ROLES["owner"])


@pytest.fixture
def configured(session: Session, owner: Principal, provider: Provider) -> IdentityProvider:
    """Set up and saved; unknown people are not let in."""
    return configure(session, owner, provider)


def configure(session: Session, owner: Principal, provider: Provider, **more: object) -> IdentityProvider:
    given = {
        "name": "Example",
        "issuer": provider.issuer,
        "client": CLIENT,
        "secret": SECRET,
        "domains": ["example.test"],
    }
    kept = identity_providers.save(session, principal=owner, draft=Draft(**(given | more)))  # type: ignore[arg-type]
    session.commit()
    return kept


def enter(session: Session, provider: Provider, provider_id: UUID, **claims: object) -> SignedIn:
    """Go there, sign in, come back."""
    way = single_sign_on.prepare(session, provider_id=provider_id, back="/companions")
    token = single_sign_on.begin(session, way)
    session.commit()
    back = provider.approve(single_sign_on.address(way), **claims)
    claimed = single_sign_on.claim(session, token=token, state=back["state"])
    identity = single_sign_on.identify(claimed, code=back["code"])
    signed_in = single_sign_on.conclude(session, claimed, identity, user_agent="test")
    session.commit()
    return signed_in


def test_a_member_is_linked_by_verified_e_mail_and_then_known_by_subject(
    session: Session,
    owner: Principal,
    provider: Provider,
    configured: IdentityProvider,
) -> None:
    signed_in = enter(session, provider, configured.id)
    assert signed_in.principal.person_id == owner.person_id
    link = session.scalars(select(IdentityLink)).one()
    assert (link.issuer, link.subject, link.person_id) == (provider.issuer, "subject-1", owner.person_id)
    # The e-mail may change at the provider, or not be told: the subject is who it is.
    provider.userinfo = {"sub": "subject-1"}
    again = enter(session, provider, configured.id, email=None, email_verified=None)
    assert again.principal.person_id == owner.person_id
    actions = session.scalars(select(AuditEntry.action)).all()
    assert actions.count("sign-on.link") == 1 and actions.count("session.sign-in") == 2
    assert all(asked.startswith("Basic ") for asked in provider.asked)


@pytest.mark.parametrize(
    "claims",
    [
        {"nonce": "another"},
        {"nonce": None},
        {"iss": "https://evil.test"},
        {"aud": "another-client"},
        {"aud": [CLIENT, "another"], "azp": "another"},
        {"aud": [CLIENT, "another"]},
        {"exp": NOW - 3600},
        {"exp": None},
        {"sub": None},
        {"sub": ""},
        {"sub": "x" * 300},
        {"iat": NOW + 7200},
        {"email_verified": False},
        {"email_verified": None},
        {"email_verified": "true"},
        {"email": "olga@elsewhere.test"},
        {"email": "stranger@example.test"},
        {"email": None},
    ],
    # Without times in them: every process must give the same names.
    ids=lambda claims: next(iter(claims)),
)
def test_whatever_is_wrong_with_a_token_nobody_is_signed_in(
    session: Session,
    provider: Provider,
    configured: IdentityProvider,
    claims: dict[str, object],
) -> None:
    with pytest.raises(SignInFailed) as refused:
        enter(session, provider, configured.id, **claims)
    session.rollback()
    assert refused.value.message == "Your organisation's sign-on did not let you in."
    assert session.scalars(select(IdentityLink)).all() == []


def test_a_key_that_was_replaced_is_followed_and_an_unknown_one_refused(
    session: Session,
    owner: Principal,
    provider: Provider,
    configured: IdentityProvider,
) -> None:
    enter(session, provider, configured.id)
    before = provider.key
    provider.key = RSAKey.generate_key(2048, {"kid": "two"})
    provider.published = [before, provider.key]
    assert enter(session, provider, configured.id).principal.person_id == owner.person_id
    provider.published = [before]
    with pytest.raises(SignInFailed):
        enter(session, provider, configured.id)
    session.rollback()
    # The same key id, and another key.
    provider.key = RSAKey.generate_key(2048, {"kid": "one"})
    with pytest.raises(SignInFailed):
        enter(session, provider, configured.id)


def test_a_token_signed_with_our_own_secret_or_not_at_all_is_refused(
    session: Session,
    provider: Provider,
    configured: IdentityProvider,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    secret = OctKey.import_key(SECRET)
    for forge in (
        lambda claims: jwt.encode({"alg": "HS256"}, claims, secret),
        lambda claims: jwt.encode({"alg": "none"}, claims, secret, algorithms=["none"]),
    ):
        now = int(time.time())
        claims = {
            "iss": provider.issuer,
            "aud": CLIENT,
            "sub": "1",
            "iat": now,
            "exp": now + 60,
            "email_verified": True,
        }

        def forged(query: dict[str, str], forge: object = forge, claims: dict[str, object] = claims) -> str:
            return forge(claims | {"nonce": query["nonce"], "email": "olga@example.test"})  # type: ignore[operator]

        monkeypatch.setattr(provider, "token", forged)
        with pytest.raises(SignInFailed):
            enter(session, provider, configured.id)
        session.rollback()


def test_somebody_disabled_is_not_let_in(
    session: Session,
    owner: Principal,
    provider: Provider,
    configured: IdentityProvider,
) -> None:
    enter(session, provider, configured.id)
    from leitstand.identity.freezing import enable

    enable(session, email="olga@example.test", enabled=False, actor="test")
    session.commit()
    for claims in ({}, {"sub": "subject-2"}):
        with pytest.raises(SignInFailed):
            enter(session, provider, configured.id, **claims)
        session.rollback()


def test_unknown_people_are_let_in_where_the_workspace_wants_it(
    session: Session,
    owner: Principal,
    provider: Provider,
) -> None:
    kept = configure(session, owner, provider, admits_unknown=True, default_role="analyst")
    signed_in = enter(session, provider, kept.id, sub="new", email="Nina@Example.test", name="Nina\n New")
    person = session.get_one(Person, signed_in.principal.person_id)
    assert (person.email, person.name, person.password_hash) == ("nina@example.test", "Nina New", None)
    assert signed_in.principal.role == "analyst"
    with pytest.raises(SignInFailed):
        enter(session, provider, kept.id, sub="other", email="nina@example.test.evil.test")


def test_a_full_plan_lets_no_newcomer_in(
    session: Session, owner: Principal, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = configure(session, owner, provider, admits_unknown=True, default_role="analyst")
    people = session.scalar(select(func.count()).select_from(Person))
    full = Plan(name="full", title="Full", limits=Limits(members=people))
    monkeypatch.setattr(room, "plan_of", lambda *_: full)
    room.forget(owner.workspace_id)
    with pytest.raises(SignInFailed):
        enter(session, provider, kept.id, sub="new", email="nina@example.test")
    room.forget(owner.workspace_id)
    assert session.scalar(select(func.count()).select_from(Person)) == people


def test_a_provider_opens_no_other_workspace(
    session: Session,
    owner: Principal,
    provider: Provider,
    configured: IdentityProvider,
) -> None:
    other = Workspace(slug="other", name="Other")
    session.add(other)
    session.flush()
    join(session, other, email="only-there@example.test")
    session.add(Membership(workspace_id=other.id, person_id=owner.person_id, role="member"))
    session.commit()
    for email in ("only-there@example.test", "olga@example.test"):
        with pytest.raises(SignInFailed):
            enter(session, provider, configured.id, email=email)
        session.rollback()


def test_the_way_back_belongs_to_one_browser_and_holds_once(
    session: Session,
    provider: Provider,
    configured: IdentityProvider,
) -> None:
    way = single_sign_on.prepare(session, provider_id=configured.id, back="/")
    token = single_sign_on.begin(session, way)
    session.commit()
    for wrong in ((None, way.state), ("x", way.state), (token, "another"), (token, "")):
        with pytest.raises(StepExpired):
            single_sign_on.claim(session, token=wrong[0], state=wrong[1])
        session.rollback()
    assert single_sign_on.claim(session, token=token, state=way.state) == way
    session.commit()
    with pytest.raises(StepExpired):
        single_sign_on.claim(session, token=token, state=way.state)


def test_a_code_works_once_and_with_its_verifier_only(
    session: Session,
    provider: Provider,
    configured: IdentityProvider,
) -> None:
    way, other = (single_sign_on.prepare(session, provider_id=configured.id, back="/") for _ in range(2))
    back = provider.approve(single_sign_on.address(way))
    with pytest.raises(SignInFailed):
        single_sign_on.identify(other, code=back["code"])
    back = provider.approve(single_sign_on.address(way))
    assert single_sign_on.identify(way, code=back["code"]).subject == "subject-1"
    for code, issuer in ((back["code"], ""), ("", ""), ("x", "https://evil.test")):
        with pytest.raises(SignInFailed):
            single_sign_on.identify(way, code=code, issuer=issuer)


def test_userinfo_fills_in_the_e_mail_of_the_same_person_only(
    session: Session,
    owner: Principal,
    provider: Provider,
    configured: IdentityProvider,
) -> None:
    provider.userinfo = {"sub": "another", "email": "olga@example.test", "email_verified": True}
    with pytest.raises(SignInFailed):
        enter(session, provider, configured.id, email=None)
    session.rollback()
    provider.userinfo["sub"] = "subject-1"
    assert enter(session, provider, configured.id, email=None).principal.person_id == owner.person_id


def test_what_is_entered_is_checked_sealed_and_tested(
    session: Session,
    owner: Principal,
    provider: Provider,
) -> None:
    kept = configure(session, owner, provider)
    assert SECRET.encode() not in (kept.secret or b"")
    assert identity_providers.client_of(kept).secret == SECRET
    assert SECRET not in repr(identity_providers.client_of(kept)) + str(
        session.scalars(select(AuditEntry.after)).all()
    )
    assert identity_providers.test(session, principal=owner) == ""
    provider.calls_itself = "https://evil.test"
    assert "calls itself 'https://evil.test'" in identity_providers.test(session, principal=owner)
    with pytest.raises(InvalidInput, match="issuer before"):
        configure(session, owner, provider, issuer="https://evil.test", secret="")
    for wrong in (
        {"issuer": "javascript:1"}, {"client": " "}, {"domains": []}, {"domains": ["a@b"]}, {"domains": ["*"]}, {"name": ""},
    ):  # fmt: skip
        with pytest.raises(InvalidInput):
            configure(session, owner, provider, **wrong)
    for role in ("owner", "external", "nobody"):
        with pytest.raises(Forbidden):
            configure(session, owner, provider, default_role=role)
    member = Principal(owner.person_id, owner.workspace_id, "", "", "member", ROLES["member"])
    with pytest.raises(Forbidden):
        identity_providers.get(session, principal=member)
    identity_providers.remove(session, principal=owner)
    session.flush()
    assert identity_providers.offered(session) == []


def test_the_test_says_what_is_wrong_in_words(
    session: Session,
    owner: Principal,
    provider: Provider,
) -> None:
    configure(session, owner, provider, issuer=f"{provider.issuer}/nowhere")
    assert "answers 404" in identity_providers.test(session, principal=owner)
    configure(session, owner, provider, issuer="http://127.0.0.2:1")
    assert "private network" in identity_providers.test(session, principal=owner)
