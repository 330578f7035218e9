"""API tokens: what one may do, and when it stops."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from leitstand.cli import main
from leitstand.db.models import ApiToken, AuditEntry, Membership, Person, Workspace
from leitstand.errors import Conflict, Forbidden, InvalidInput, NotFound
from leitstand.identity import people, tokens
from leitstand.identity.access import Principal
from tests.people import join

Change = Callable[[Session, ApiToken], object]


@pytest.fixture
def person(session: Session, workspace: Workspace) -> Person:
    return join(session, workspace, role="creator")


@pytest.fixture
def principal(session: Session, workspace: Workspace, person: Person) -> Principal:
    return tokens.owner(session, workspace_id=workspace.id, email=person.email, name="somebody")


def make(session: Session, principal: Principal, *permissions: str, days: int | None = None) -> tokens.Made:
    made = tokens.create(
        session, principal=principal, name="robot", permissions=permissions or ("events:write",), days=days
    )
    session.commit()
    return made


def test_a_token_acts_for_its_owner_with_what_it_was_given(session: Session, principal: Principal) -> None:
    made = make(session, principal, "events:write", "item:read")
    found = tokens.authenticate(session, made.secret)
    assert (found.person_id, found.workspace_id, found.token_id) == (
        principal.person_id, principal.workspace_id, made.token.id,
    )  # fmt: skip
    assert found.permissions == {"events:write", "item:read"}
    assert found.actor == "creator@demo.test (token robot)"


def test_only_the_hash_is_stored(session: Session, principal: Principal) -> None:
    made = make(session, principal)
    stored = session.execute(select(ApiToken.__table__)).one()
    assert made.secret.startswith(made.token.start)
    assert not any(made.secret in str(value) for value in stored)
    assert made.secret not in repr([row.after for row in session.scalars(select(AuditEntry))])


def test_a_typing_error_is_told_from_a_token_that_is_gone(session: Session, principal: Principal) -> None:
    secret = make(session, principal).secret
    altered = secret[:-7] + ("A" if secret[-7] != "A" else "B") + secret[-6:]
    for wrong in (altered, secret[:-1], secret + "x", "", "lst_", "ä" * 53):
        assert not tokens.well_formed(wrong)
        with pytest.raises(tokens.InvalidToken, match="not a whole"):
            tokens.authenticate(session, wrong)
    with pytest.raises(tokens.InvalidToken, match="No member"):
        tokens.authenticate(session, tokens._generate())


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            lambda session, token: session.execute(
                update(ApiToken).values(expires_at=datetime.now(UTC) - timedelta(seconds=1))
            ),
            "expired",
        ),
        (
            lambda session, token: session.execute(update(Person).values(disabled_at=datetime.now(UTC))),
            "disabled",
        ),
        (lambda session, token: session.execute(delete(Membership)), "No member"),
    ],
)
def test_what_ends_a_token(session: Session, principal: Principal, change: Change, reason: str) -> None:
    made = make(session, principal, days=1)
    assert tokens.authenticate(session, made.secret)
    change(session, made.token)
    session.commit()
    session.expire_all()
    with pytest.raises(tokens.InvalidToken, match=reason) as refused:
        tokens.authenticate(session, made.secret)
    assert refused.value.hint


def test_a_member_who_comes_back_does_not_get_old_tokens_back(
    session: Session, workspace: Workspace, principal: Principal, person: Person
) -> None:
    secret = make(session, principal).secret
    session.execute(delete(Membership))
    session.commit()
    session.expire_all()
    session.add(Membership(workspace_id=workspace.id, person_id=person.id, role="creator"))
    session.commit()
    with pytest.raises(tokens.InvalidToken):
        tokens.authenticate(session, secret)


def test_a_lesser_role_lessens_the_token(session: Session, principal: Principal) -> None:
    made = make(session, principal, "events:write", "item:read")
    session.execute(update(Membership).values(role="analyst"))
    session.commit()
    session.expire_all()
    assert tokens.authenticate(session, made.secret).permissions == {"item:read"}


def test_a_revoked_token_is_refused_and_its_owner_sees_it_no_more(
    session: Session, principal: Principal
) -> None:
    made = make(session, principal)
    tokens.revoke(session, principal=principal, token_id=made.token.id)
    session.commit()
    assert tokens.list_tokens(session, principal=principal) == []
    with pytest.raises(tokens.InvalidToken, match="revoked"):
        tokens.authenticate(session, made.secret)
    with pytest.raises(NotFound):
        tokens.revoke(session, principal=principal, token_id=made.token.id)
    actions = session.scalars(select(AuditEntry.action).order_by(AuditEntry.id)).all()
    assert actions[-2:] == ["token.create", "token.revoke"]


def test_nobody_touches_the_tokens_of_others(
    session: Session, workspace: Workspace, principal: Principal
) -> None:
    made = make(session, principal)
    other = tokens.owner(
        session, workspace_id=workspace.id, email=join(session, workspace).email, name="other"
    )
    assert tokens.list_tokens(session, principal=other) == []
    with pytest.raises(NotFound):
        tokens.revoke(session, principal=other, token_id=made.token.id)


def test_the_last_use_is_written_once_a_minute(session: Session, principal: Principal) -> None:
    made = make(session, principal)

    def used() -> datetime | None:
        session.expire_all()
        return session.scalar(select(ApiToken.last_used_at))

    assert used() is None
    tokens.authenticate(session, made.secret)
    first = used()
    tokens.authenticate(session, made.secret)
    assert first is not None and used() == first
    session.execute(update(ApiToken).values(last_used_at=first - timedelta(minutes=2)))
    tokens.authenticate(session, made.secret)
    assert (used() or first) > first


@pytest.mark.parametrize(
    ("permissions", "days", "error"),
    [
        ([], None, InvalidInput),
        (["nonsense"], None, InvalidInput),
        (["operations:read"], None, Forbidden),
        (["item:read"], 0, InvalidInput),
        (["item:read"], 100_000, InvalidInput),
    ],
)
def test_what_no_token_is_made_of(
    session: Session, principal: Principal, permissions: list[str], days: int | None, error: type[Exception]
) -> None:
    with pytest.raises(error):
        tokens.create(session, principal=principal, name="robot", permissions=permissions, days=days)
    with pytest.raises(InvalidInput):
        tokens.create(session, principal=principal, name=" ", permissions=["item:read"])


def test_a_token_makes_no_tokens_and_does_not_act_as_the_person(
    session: Session, principal: Principal
) -> None:
    found = tokens.authenticate(session, make(session, principal, "item:read").secret)
    for refused in (
        lambda: tokens.create(session, principal=found, name="more", permissions=["item:read"]),
        lambda: tokens.list_tokens(session, principal=found),
        lambda: people.update_profile(session, principal=found, name="Robot"),
    ):
        with pytest.raises(Forbidden, match="token"):
            refused()


def test_a_person_has_a_bounded_number(
    session: Session, principal: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "MOST", 2)
    make(session, principal)
    make(session, principal)
    with pytest.raises(Conflict):
        make(session, principal)


def test_the_command_makes_lists_and_revokes(
    session: Session, person: Person, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*arguments: str) -> tuple[int, str]:
        with pytest.raises(SystemExit) as end:
            main(["token", *arguments, "--workspace", "demo", "--email", person.email])
        return int(end.value.code or 0), capsys.readouterr().out

    code, out = run("create", "--name", "robot", "--permission", "events:write", "--days", "7", "--json")
    made = json.loads(out)
    assert code == 0
    assert tokens.authenticate(session, made["token"]).permissions == {"events:write"}
    session.commit()
    listed = json.loads(run("list", "--json")[1])["tokens"]
    assert [(token["id"], token["name"]) for token in listed] == [(made["id"], "robot")]
    assert made["token"] not in run("list")[1]
    assert run("revoke", made["id"])[0] == 0
    assert "has no token" in run("list")[1]
    assert run("create", "--name", "x", "--permission", "operations:read")[0] == 1
    by = session.scalars(select(AuditEntry.actor).where(AuditEntry.action.like("token.%"))).all()
    assert set(by) == {"command line"}
