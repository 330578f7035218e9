"""Months of events in the archive: read back before they are dropped, counted once wherever they are."""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pyarrow.parquet as pq
import pytest
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from leitstand.catalogue.companions import ensure_companion
from leitstand.db.engine import driver_cursor
from leitstand.db.ids import lowest_uuid7
from leitstand.db.models import Workspace
from leitstand.errors import IntegrityFailed, NotFound
from leitstand.events import facts
from leitstand.events.archive import contents, moving, objects, parts
from leitstand.events.archive.moving import archive, restore
from leitstand.events.archive.planning import plan
from leitstand.events.ledger import record
from leitstand.events.partitions import list_partitions
from leitstand.identity.workspaces import ensure_workspace
from leitstand.settings import Settings
from leitstand.storage.store import store_of
from tests.integration.events.archiving import LATER, NEW, OLD, archived, made
from tests.integration.events.support import count, event, facts_of, imported, write_csv

Send = Callable[..., list[str]]


def listed(session: Session) -> list[str]:
    session.rollback()
    months = [f"{row.month:%Y-%m}" for row in list_partitions(session)]
    session.rollback()
    return months


def old_rows(session: Session) -> list[tuple[Any, ...]]:
    """Every column of the events of both old months."""
    session.rollback()
    end = lowest_uuid7(NEW + timedelta(days=1))
    query = text("SELECT * FROM event WHERE event_id < :end ORDER BY event_id")
    rows = [tuple(row) for row in session.execute(query, {"end": end})]
    session.rollback()
    return rows


def test_old_months_go_and_figures_stay(
    engine: Engine, session: Session, settings: Settings, workspace: Workspace, companion: UUID, send: Send
) -> None:
    odd = 'tab\t"quote", comma\nline \\ end'
    props = {"deep": [1.50, None, {"é": odd}], "empty": ""}
    send(made(companion, OLD, props=props, touched="", step=odd), made(companion, NEW, seq=3, actor_key=None))
    send(made(companion, datetime.now(UTC) - timedelta(days=40), "young"))
    before = facts_of(engine, workspace.id)
    rows = old_rows(session)
    done = archived(engine, settings)
    assert [(it.month, it.events, it.objects, it.left) for it in done] == [
        (date(2023, 1, 1), 1, 1, ""), (date(2023, 2, 1), 1, 1, ""),
    ]  # fmt: skip
    assert len(listed(session)) == 1
    assert facts_of(engine, workspace.id) == before
    assert count(engine, "event", workspace.id) == 1
    assert restore(engine, settings, month=date(2023, 1, 1)).events == 1
    restore(engine, settings, month=date(2023, 2, 1))
    assert old_rows(session) == rows
    with pytest.raises(NotFound):
        restore(engine, settings, month=date(2023, 1, 1))


def test_each_workspace_has_its_own_objects_with_a_manifest(
    engine: Engine, session: Session, settings: Settings, workspace: Workspace, companion: UUID, send: Send
) -> None:
    other = ensure_workspace(session, slug="other")
    theirs = ensure_companion(session, workspace_id=other.id, key="theirs")
    record(session, workspace_id=other.id, events=[made(theirs, OLD)])
    session.commit()
    send(made(companion, OLD), made(companion, OLD + timedelta(seconds=1), step="done"))
    assert archived(engine, settings)[0].objects == 2
    mine = parts.list_parts(session, workspace_id=workspace.id)
    assert [(it.workspace, it.rows, it.month) for it in mine] == [("demo", 2, date(2023, 1, 1))]
    storage = store_of(settings)
    path = parts.file_of(_parts(session, workspace)[0], settings)
    assert pq.read_table(path)["workspace_id"].to_pylist() == [str(workspace.id)] * 2
    manifest = json.loads(
        storage.get_bytes(settings.bucket_media, mine[0].key.replace(".parquet", ".manifest.json"))
    )
    assert manifest["rows"] == 2 and manifest["sha256"] == mine[0].sha256
    assert (manifest["first_at"], manifest["last_at"]) == (OLD.isoformat(), "2023-01-31T23:50:01+00:00")
    assert restore(engine, settings, month=date(2023, 1, 1), workspace_id=other.id).events == 1
    assert (count(engine, "event", workspace.id), count(engine, "event", other.id)) == (0, 1)


def _parts(session: Session, workspace: Workspace) -> list[parts.ArchivePart]:
    session.rollback()
    return parts.of_month(driver_cursor(session), date(2023, 1, 1), workspace.id)


def test_an_archived_event_sent_again_is_a_duplicate_and_a_late_one_counts(
    engine: Engine, session: Session, settings: Settings, workspace: Workspace, companion: UUID, send: Send
) -> None:
    first = made(companion, OLD)
    send(first)
    archived(engine, settings)
    late, altered = made(companion, OLD, step="late"), made(companion, OLD, kind="completed")
    assert send(first) == ["duplicate"]
    assert send(first, late, altered, late) == ["duplicate", "accepted", "refused", "duplicate"]
    assert send(late, altered) == ["duplicate", "refused"]
    assert facts_of(engine, workspace.id)["runs"][0][9] == 2
    assert archived(engine, settings)[0].events == 1
    assert listed(session) == []
    assert send(first, late, altered) == ["duplicate", "duplicate", "refused"]
    assert archived(engine, settings)[0].events == 0
    assert restore(engine, settings, month=date(2023, 1, 1)).objects == 2
    assert count(engine, "event", workspace.id) == 2
    assert send(first, late, altered) == ["duplicate", "duplicate", "refused"]


def test_facts_are_made_anew_from_both(
    engine: Engine, session: Session, settings: Settings, workspace: Workspace, companion: UUID, send: Send
) -> None:
    send(made(companion, OLD, "across"), made(companion, NEW, "across", "done"), made(companion, OLD, "old"))
    send(made(companion, OLD, "bot", actor_kind="bot"), made(companion, OLD, "test", is_test=True))
    archived(engine, settings)
    send(made(companion, NEW, "across", "late"))
    before = facts_of(engine, workspace.id)
    assert [row[1] for row in before["runs"]] == ["across", "old"]
    session.execute(text("UPDATE run_fact SET events = 9; UPDATE actor_bucket SET events = 9"))
    facts.rebuild(session, workspace_id=workspace.id, log_id=companion)
    session.commit()
    assert facts_of(engine, workspace.id) == before
    session.execute(text("UPDATE companion SET end_steps = '{ask}'"))
    facts.complete_again(session, workspace_id=workspace.id, log_id=companion)
    session.commit()
    assert [row[7] for row in facts_of(engine, workspace.id)["runs"]] == [OLD, OLD]


def test_months_stay_while_they_change_or_were_just_brought_back(
    engine: Engine, session: Session, settings: Settings, companion: UUID, send: Send
) -> None:
    send(made(companion, OLD))
    (left,) = archive(engine, settings)
    assert "came in" in left.left
    assert archived(engine, settings)[0].events == 1
    restore(engine, settings, month=date(2023, 1, 1))
    session.execute(text("UPDATE event SET received_at = occurred_at"))
    session.commit()
    assert "brought back" in plan(engine, settings)[0].waiting
    assert archived(engine, settings)[0].left == ""
    assert plan(engine, settings.model_copy(update={"events_kept_months": 0}), now=LATER) == []
    assert send(made(companion, OLD)) == ["duplicate"]


def test_what_comes_in_while_it_is_written_keeps_the_month_in_the_table(
    engine: Engine, session: Session, settings: Settings, companion: UUID, send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    send(made(companion, OLD))
    read_back = moving._read_back

    def send_meanwhile(*given: Any) -> None:
        read_back(*given)
        assert send(made(companion, OLD, step="late")) == ["accepted"]

    monkeypatch.setattr(moving, "_read_back", send_meanwhile)
    (left,) = archived(engine, settings)
    assert (left.events, left.left) == (0, moving.CHANGED)
    assert session.scalar(text("SELECT count(*) FROM event")) == 2
    assert parts.list_parts(session) == []
    session.rollback()
    monkeypatch.undo()
    assert archived(engine, settings)[0].events == 2


def test_an_object_that_is_not_what_it_should_be_keeps_the_month_in_the_table(
    engine: Engine, session: Session, settings: Settings, companion: UUID, send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    send(made(companion, OLD), made(companion, OLD, step="done"))
    write = contents.write

    def lose_one(cursor: Any, table: str, workspace_id: UUID, path: Any) -> None:
        write(cursor, table, workspace_id, path)
        pq.write_table(pq.read_table(path).slice(1), path)

    monkeypatch.setattr(contents, "write", lose_one)
    with pytest.raises(IntegrityFailed, match="2 events"):
        archived(engine, settings)
    assert session.scalar(text("SELECT count(*) FROM event")) == 2
    assert parts.list_parts(session) == []


def test_what_a_killed_run_left_is_tidied_and_what_counts_is_not(
    engine: Engine, session: Session, settings: Settings, workspace: Workspace, companion: UUID, send: Send
) -> None:
    send(made(companion, OLD))
    archived(engine, settings)
    storage, bucket = store_of(settings), settings.bucket_media
    left = f"{parts.PREFIX}{workspace.id}/2023-01/left.parquet"
    stranger = f"{parts.PREFIX}{UUID(int=1)}/2023-01/x.parquet"
    for key in (left, stranger):
        storage.put_bytes(bucket, key, b"x")
    assert objects.tidy(engine, settings) == 0
    assert objects.tidy(engine, settings, now=datetime.now(UTC) + timedelta(days=2)) == 1
    keys = {it.key for it in storage.list(bucket, parts.PREFIX)}
    assert left not in keys and stranger in keys
    assert restore(engine, settings, month=date(2023, 1, 1)).events == 1
    assert objects.tidy(engine, settings, now=datetime.now(UTC) + timedelta(days=300)) == 0
    assert objects.tidy(engine, settings, now=datetime.now(UTC) + timedelta(days=401)) == 2
    assert parts.list_parts(session) == []


def test_a_file_imported_again_adds_nothing_to_an_archived_month(
    engine: Engine, session: Session, settings: Settings, workspace: Workspace, tmp_path: Path
) -> None:
    rows = [
        event(f"r{place % 5}", f"step {place}", f"2023-0{1 + place % 3}-05T10:00:00Z") for place in range(40)
    ]
    first = imported(engine, workspace.id, write_csv(tmp_path / "a.csv", rows), complete=["step 39"])
    assert first.counts.accepted == 40
    assert sum(it.events for it in archived(engine, settings)) == 40
    before = facts_of(engine, workspace.id)
    again = imported(engine, workspace.id, write_csv(tmp_path / "b.csv", [*rows, rows[0]]))
    assert (again.counts.accepted, again.counts.duplicates, again.counts.identical) == (0, 40, 1)
    assert facts_of(engine, workspace.id) == before
    more = imported(
        engine,
        workspace.id,
        write_csv(tmp_path / "c.csv", [*rows, event("r1", "new", "2023-01-05T10:00:01Z")]),
    )
    assert (more.counts.accepted, more.counts.duplicates) == (1, 40)
    ended = imported(engine, workspace.id, write_csv(tmp_path / "d.csv", rows), complete=["step 7"])
    assert ended.counts.duplicates == 40
    runs = facts_of(engine, workspace.id)["runs"]
    assert [row[1] for row in runs if row[7]] == ["r2"]
