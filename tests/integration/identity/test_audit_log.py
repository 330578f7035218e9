"""The audit log is read by who, what, on what and when, taken away whole, and never changed."""

import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import Engine, delete, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from leitstand.db.models import AuditEntry, Workspace
from leitstand.errors import Forbidden, InvalidInput
from leitstand.identity.access import ROLES, Principal
from leitstand.identity.audit_log import Which, export, list_actions, list_entries
from leitstand.identity.workspaces import ensure_workspace

NOON = datetime(2026, 3, 28, 12, tzinfo=UTC)


@pytest.fixture
def log(session: Session, workspace: Workspace) -> Workspace:
    """Entries of three people over three days, and one of another workspace."""
    other = ensure_workspace(session, slug="elsewhere")
    rows = [
        ("ada@x.test", "board.create", "board:1", "r1", NOON),
        ("ada@x.test (token robot)", "board.update", "board:1", "r2", NOON + timedelta(hours=11, minutes=30)),
        ("Bob@x.test", "boarder.create", "boarder:1", "r2", NOON + timedelta(days=1)),
        ("50%_off@x.test", "person.update", "person:9", "r3", NOON + timedelta(days=2)),
    ]
    for actor, action, target, request, at in rows:
        entry = AuditEntry(workspace_id=workspace.id, actor=actor, action=action, target=target, at=at)
        entry.request_id, entry.before, entry.after = request, {"title": "=old"}, {"title": "new"}
        session.add(entry)
    session.add(
        AuditEntry(workspace_id=other.id, actor="ada@x.test", action="secret.create", target="board:1")
    )
    session.commit()
    return workspace


@pytest.mark.parametrize(
    ("which", "targets"),
    [
        (Which(), ["person:9", "boarder:1", "board:1", "board:1"]),
        (Which(actor="ADA@"), ["board:1", "board:1"]),
        (Which(actor="50%_"), ["person:9"]),
        (Which(actor="%"), []),
        (Which(action="board"), ["board:1", "board:1"]),
        (Which(action="board.update"), ["board:1"]),
        (Which(target="board:"), ["board:1", "board:1"]),
        (Which(request_id="r2"), ["boarder:1", "board:1"]),
        (Which(start=date(2026, 3, 29), end=date(2026, 3, 29)), ["boarder:1"]),
        # Half past eleven in the evening in UTC is the next day in Berlin.
        (
            Which(start=date(2026, 3, 29), end=date(2026, 3, 29), zone="Europe/Berlin"),
            ["boarder:1", "board:1"],
        ),
        (Which(actor="\x00\ud800"), ["person:9", "boarder:1", "board:1", "board:1"]),
    ],
)
def test_a_filter_leaves_the_rest_out(
    session: Session, log: Workspace, owner: Principal, which: Which, targets: list[str]
) -> None:
    session.execute(text("SELECT 1"))
    found = [
        entry
        for entry in list_entries(session, principal=owner, which=which)
        if entry.at < NOON + timedelta(9)
    ]
    assert [entry.target for entry in found] == targets


def test_a_range_that_ends_before_it_begins_is_refused(session: Session, owner: Principal) -> None:
    for days in ((date(2026, 3, 2), date(2026, 3, 1)), (date.min, date.max)):
        with pytest.raises(InvalidInput):
            list_entries(session, principal=owner, which=Which(start=days[0], end=days[1], zone="Asia/Tokyo"))


def test_actions_are_those_of_the_workspace(session: Session, log: Workspace, owner: Principal) -> None:
    assert {"board.create", "board.update", "boarder.create", "person.update"} <= set(
        list_actions(session, principal=owner)
    )
    assert "secret.create" not in list_actions(session, principal=owner)


def test_the_file_holds_what_is_chosen_oldest_first(engine: Engine, log: Workspace, owner: Principal) -> None:
    which = Which(action="board")
    lines = [json.loads(line) for line in export(engine, principal=owner, which=which, form="json")]
    assert [(line["action"], line["after"]) for line in lines] == [
        ("board.create", {"title": "new"}),
        ("board.update", {"title": "new"}),
    ]
    table = io.StringIO("".join(export(engine, principal=owner, which=which, form="csv")), newline="")
    rows = list(csv.DictReader(table))
    assert [row["at"] for row in rows] == [line["at"] for line in lines]
    assert rows[0]["before"] == '{"title": "=old"}'
    with pytest.raises(InvalidInput):
        export(engine, principal=owner, which=which, form="xls")


def test_it_is_for_those_who_may_and_is_never_changed(
    session: Session, log: Workspace, engine: Engine
) -> None:
    member = Principal(None, log.id, "", "", "member", ROLES["member"])
    for read in (
        lambda: list_entries(session, principal=member),
        lambda: list_actions(session, principal=member),
    ):
        with pytest.raises(Forbidden):
            read()
    with pytest.raises(Forbidden):
        export(engine, principal=member, which=Which(), form="csv")
    for statement in changes():
        with pytest.raises(IntegrityError, match="only grows"), session.begin_nested():
            session.execute(statement)


def changes() -> Iterator[object]:
    """Ways to change the log."""
    yield update(AuditEntry).values(actor="nobody")
    yield delete(AuditEntry)
    yield text("TRUNCATE audit_entry")
