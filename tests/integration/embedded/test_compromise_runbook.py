"""Runbook rb110 on an installation that was really tampered with: files, an owner and a token put in by hand."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from leitstand.backups import keys
from leitstand.backups.secret_backups import back_up_secrets
from leitstand.db import engine as engine_module
from leitstand.db.engine import transaction
from leitstand.db.models import AuditEntry, Membership, Person, Workspace
from leitstand.embedded.credentials import LASTING
from leitstand.errors import NotFound, NotSignedIn
from leitstand.identity import freezing, people, sessions, tokens
from leitstand.identity.access import ROLES, Principal
from leitstand.runbooks import installed
from leitstand.settings import get_settings
from leitstand.storage.objects import ObjectStorage
from tests.checkouts import checkout, commit_all, git, run_leitstand
from tests.rotating import Rotating, monkeypatch_module, rotating

__all__ = ["monkeypatch_module", "rotating"]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
NAME = "suspected-compromise"
OLGA, PASSWORD = "olga@example.test", "seven quiet herons"


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An installation in which somebody has changed one file and added another."""
    folder = checkout(tmp_path_factory.mktemp("installation"))
    changed = folder / "leitstand/identity/passwords.py"
    changed.write_text(changed.read_text() + "\n# a back door\n")
    (folder / "leitstand/helper.py").write_text("import os\n")
    # git itself is told to look away
    git(folder, "update-index", "--assume-unchanged", "leitstand/identity/passwords.py")
    (folder / ".git/info/exclude").write_text("helper.py\n")
    return folder


class Api:
    """The JSON API, in this process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, rotating: Rotating) -> None:
        for name, value in rotating.environment.variables().items():
            if name.startswith("LEITSTAND_"):
                monkeypatch.setenv(name, value)
        get_settings.cache_clear()

    def me(self, *, token: str = "", session: str = "") -> int:
        """The status of asking who one is, as a process that has just started with today's secrets."""
        from api.app import create

        get_settings.cache_clear()
        engine_module.get_engine.cache_clear()
        client = TestClient(create())
        if session:
            client.cookies.set(sessions.COOKIE, session)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        status = client.get("/api/v1/me", headers=headers).status_code
        engine_module.get_engine().dispose()
        return status


def olga_comes_in(engine: Engine) -> tuple[str, str]:
    """An owner as it should be, her session and her token."""
    with Session(engine) as session, session.begin():
        workspace = session.query(Workspace).one().id
        person = people.create_owner(
            session, email=OLGA, name="Olga", password=PASSWORD, workspace_id=workspace
        )
        signed = sessions.sign_in(
            session, email=OLGA, password=PASSWORD, address="192.0.2.1", user_agent="test"
        )
        principal = Principal(person.id, workspace, "Olga", OLGA, "owner", ROLES["owner"])
        made = tokens.create(session, principal=principal, name="deploy", permissions=["item:read"])
        return signed.token, made.secret


def plant(engine: Engine) -> str:
    """What an attacker does who has the database: an owner with a token, without a trace in the audit log."""
    with Session(engine) as session, session.begin():
        workspace = session.query(Workspace).one().id
        mallory = Person(email="mallory@example.test", name="Support", password_hash=None)
        session.add(mallory)
        session.flush()
        session.add(Membership(workspace_id=workspace, person_id=mallory.id, role="owner"))
        session.flush()
        principal = Principal(mallory.id, workspace, "Support", mallory.email, "owner", ROLES["owner"])
        made = tokens.create(session, principal=principal, name="sync", permissions=["item:read"])
        session.flush()
        # Whoever has the database takes the trigger away that keeps the log.
        session.execute(text("ALTER TABLE audit_entry DISABLE TRIGGER audit_entry_rows"))
        session.query(AuditEntry).filter(AuditEntry.target == f"token:{made.token.id}").delete()
        session.execute(text("ALTER TABLE audit_entry ENABLE TRIGGER audit_entry_rows"))
        return made.secret


def run(installation: Path, rotating: Rotating, *arguments: str) -> dict[str, Any]:
    done = run_leitstand(installation, rotating.variables(), "runbook", "run", NAME, "--json", *arguments)
    assert done.stdout, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def test_it_is_found_kept_and_shut_out(
    installation: Path, rotating: Rotating, monkeypatch: pytest.MonkeyPatch
) -> None:
    api, engine = Api(monkeypatch, rotating), rotating.engine()
    session, token = olga_comes_in(engine)
    planted = plant(engine)
    keys.ensure_keys(rotating.settings)
    taken = back_up_secrets(engine, rotating.settings)
    assert taken is not None
    first = str(taken.id)
    before = rotating.secrets()
    ways_in = [{"token": token}, {"token": planted}, {"session": session}]
    assert [api.me(**way) for way in ways_in] == [200, 200, 200]

    dry = run(installation, rotating, "-p", f"only_people={OLGA}")
    assert dry["ok"], dry["error"]
    figures = dry["figures"]
    assert figures["differing_files"] == 2
    steps = [(step["what"], step["on"]) for step in figures["plan"]["steps"]]
    assert steps[0] == ("keep backup", f"secrets {first}") and ("end sessions", "all") in steps
    hidden = {one["who"] for one in figures["newcomers"] if one["known"] == "NOT IN THE AUDIT LOG"}
    assert hidden == {"sync of mallory@example.test: item:read", "mallory@example.test"}
    assert figures["not_in_the_audit_log"] == ["mallory@example.test"]
    assert [api.me(**way) for way in ways_in] == [200, 200, 200], "a dry run shuts nobody out"
    check_evidence(rotating, figures["preserved"], secret=planted)

    plan = ["-p", f"plan_sha256={figures['plan_sha256']}", "-p", "dry_run=false", "-p", "decided_by=Olga"]
    done = run(installation, rotating, "-p", f"only_people={OLGA}", *plan, "--yes", "embedded")
    assert done["ok"], done["error"]
    assert [api.me(**way) for way in ways_in] == [401, 401, 401]
    after = rotating.secrets()
    kept = {name for name, value in before.items() if value and after[name] == value}
    assert kept == {f"leitstand_{name}" for name in LASTING}
    with transaction(rotating.engine()) as work:
        assert freezing.enabled_people(work) == [OLGA]
        assert [str(one) for one in work.scalars(text("SELECT id FROM backup WHERE kept"))] == [first]
        with pytest.raises(NotSignedIn):
            sessions.sign_in(
                work, email="mallory@example.test", password="x", address="192.0.2.9", user_agent=""
            )
        assert sessions.sign_in(work, email=OLGA, password=PASSWORD, address="192.0.2.1", user_agent="").token
    engine.dispose()


def check_evidence(rotating: Rotating, kept: dict[str, Any], *, secret: str) -> None:
    """Every document is there, names the attacker, and holds no hash of a password or token."""
    storage = ObjectStorage(rotating.settings)
    bucket, _, prefix = kept["place"].removeprefix("s3://").partition("/")
    content = {
        one["name"]: storage.get_bytes(bucket, prefix + one["name"], sha256=one["sha256"])
        for one in kept["files"]
    }
    assert not kept["missing"]
    differing = {one["path"]: one["how"] for one in json.loads(content["files.json"])}
    assert differing == {"leitstand/identity/passwords.py": "modified", "leitstand/helper.py": "added"}
    people_kept = gzip.decompress(content["people.json.gz"]).decode()
    assert "mallory@example.test" in people_kept and "password_hash" not in people_kept
    tokens_kept = gzip.decompress(content["tokens.json.gz"]).decode()
    assert '"sync"' in tokens_kept and secret not in tokens_kept and "token_hash" not in tokens_kept
    assert json.loads(content["processes.json"]) and json.loads(content["versions.json"])["leitstand"]


def test_files_are_compared_by_their_content(tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    (repository / "package").mkdir(parents=True)
    git(repository, "init", "-q")
    for name in ("kept.py", "changed.py", "gone.py", "package/module.py"):
        (repository / name).write_text(f"# {name}\n")
    (repository / "link").symlink_to("kept.py")
    commit = commit_all(repository, "first")
    assert installed.differences(repository, installed.commit_of(repository)) == []
    (repository / "changed.py").write_text("# changed.PY\n")
    (repository / "gone.py").unlink()
    (repository / "link").unlink()
    (repository / "link").symlink_to("changed.py")
    (repository / "package/new").write_text("")
    (repository / "__pycache__").mkdir()
    (repository / "__pycache__/x.pyc").write_text("")
    found = {(one.path, one.how) for one in installed.differences(repository, commit)}
    assert found == {
        ("changed.py", "modified"),
        ("gone.py", "missing"),
        ("link", "modified"),
        ("package/new", "added"),
    }


def test_a_person_is_disabled_and_enabled_by_the_command(rotating: Rotating) -> None:
    engine = rotating.engine()
    with transaction(engine) as session:
        workspace = session.query(Workspace).one().id
        people.create_owner(
            session, email="nora@example.test", name="Nora", password=PASSWORD, workspace_id=workspace
        )
        with pytest.raises(NotFound):
            freezing.close_sign_in(session, only=["nobody@example.test"], actor="test")
    for command, enabled in (("disable", False), ("enable", True)):
        done = rotating.run("-m", "leitstand", "person", command, "--email", "nora@example.test")
        assert done.returncode == 0, done.stderr
        with transaction(engine) as session:
            assert ("nora@example.test" in freezing.enabled_people(session)) is enabled
    engine.dispose()
