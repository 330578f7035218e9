"""leitstand person."""

import io
import json

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from leitstand.cli import main
from leitstand.db.models import AuditEntry, OneTimeCode, Workspace
from leitstand.identity.sessions import CodeNeeded, authenticate, sign_in
from tests.people import PASSWORD, join


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as end:
        main(["person", *arguments])
    out, err = capsys.readouterr()
    return int(end.value.code or 0), out, err


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{PASSWORD}\n"))


def test_an_owner_is_made_and_can_sign_in(
    session: Session, workspace: Workspace, capsys: pytest.CaptureFixture[str], typed: None
) -> None:
    code, out, _ = run(
        capsys, "create-owner", "--workspace", "demo", "--email", "o@x.test", "--password-stdin", "--json"
    )
    assert code == 0
    made = json.loads(out)
    assert (made["role"], made["email"]) == ("owner", "o@x.test")
    assert "password" not in made
    assert sign_in(session, email="o@x.test", password=PASSWORD, address="", user_agent="")


def test_a_generated_password_is_printed_once_and_works(
    session: Session, workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    person = join(session, workspace)
    before = sign_in(session, email=person.email, password=PASSWORD, address="", user_agent="")
    session.commit()
    code, out, _ = run(capsys, "reset-password", "--email", person.email, "--generate", "--json")
    assert code == 0
    session.expire_all()
    assert authenticate(session, before.token) is None
    assert sign_in(
        session, email=person.email, password=json.loads(out)["password"], address="", user_agent=""
    )


def test_people_are_listed(
    session: Session, workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    join(session, workspace, role="analyst")
    code, out, _ = run(capsys, "list", "--workspace", "demo", "--json")
    assert code == 0
    assert [row["role"] for row in json.loads(out)["people"]] == ["analyst"]
    assert "analyst" in run(capsys, "list", "--workspace", "demo")[1]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["create", "--workspace", "nowhere", "--email", "a@b.test", "--name", "A", "--password-stdin"],
            "no workspace",
        ),
        (
            ["create", "--workspace", "demo", "--email", "nobody", "--name", "A", "--password-stdin"],
            "not an e-mail",
        ),
        (["reset-password", "--email", "x@y.test", "--password-stdin"], "nobody with the e-mail"),
        (["reset-password", "--email", "x@y.test"], "No password was given"),
    ],
)
def test_what_goes_wrong_is_said_with_the_way_out(
    session: Session,
    workspace: Workspace,
    capsys: pytest.CaptureFixture[str],
    typed: None,
    arguments: list[str],
    said: str,
) -> None:
    code, out, err = run(capsys, *arguments)
    assert code != 0
    assert out == ""
    assert said in err
    assert PASSWORD not in err


def test_who_has_lost_device_and_recovery_codes_is_let_in(
    session: Session, workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    person = join(session, workspace)
    session.add(OneTimeCode(person_id=person.id, secret=b"cannot be opened", confirmed_at=person.created_at))
    session.commit()
    with pytest.raises(CodeNeeded):
        sign_in(session, email=person.email, password=PASSWORD, address="", user_agent="")
    session.rollback()
    code, out, _ = run(capsys, "turn-off-codes", "--email", person.email, "--json")
    assert (code, json.loads(out)) == (0, {"email": person.email})
    assert sign_in(session, email=person.email, password=PASSWORD, address="", user_agent="")
    actions = session.scalars(select(AuditEntry.action)).all()
    assert "person.code-off" in actions


def test_people_are_invited_and_given_roles(
    session: Session, workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    join(session, workspace, role="member", email="m@demo.test")
    code, out, _ = run(capsys, "invite", "--workspace", "demo", "--email", "new@x.test", "--role", "analyst")
    assert code == 0
    assert "/join/" in out
    assert run(capsys, "role", "--workspace", "demo", "--email", "m@demo.test", "--role", "owner")[0] == 0
    code, _, err = run(capsys, "role", "--workspace", "demo", "--email", "m@demo.test", "--role", "member")
    assert code != 0
    assert "last owner" in err
