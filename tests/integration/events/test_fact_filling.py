"""Facts from before a newer version get what it keeps, while events come in, however often it is tried."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from leitstand.catalogue.companions import ensure_companion
from leitstand.db import migrate
from leitstand.db.ids import derived_uuid7
from leitstand.db.models import Workspace
from leitstand.events import fact_filling, facts
from leitstand.events.ledger import IncomingEvent, record
from leitstand.jobs.registry import find
from tests.integration.events.support import facts_of

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
AS_BEFORE = text("UPDATE run_fact SET step_at = DEFAULT, flow_version = NULL")


@pytest.fixture
def companion(session: Session, workspace: Workspace) -> UUID:
    made = ensure_companion(session, workspace_id=workspace.id, key="helper")
    session.commit()
    return made


def event(companion: UUID, run: int, step: str, minute: int, version: int | None = 1) -> IncomingEvent:
    at = AT + timedelta(minutes=minute)
    return IncomingEvent(
        event_id=derived_uuid7(at, f"{run}{step}{minute}".encode()), kind="answered", companion_id=companion,
        run_key=f"run-{run}", step=step, actor_key="ann", occurred_at=at, flow_version=version,
    )  # fmt: skip


def some(companion: UUID) -> list[IncomingEvent]:
    return [
        event(companion, run, step, run + place, version=run % 3 or None)
        for run in range(7)
        for place, step in enumerate(["ask", "tell", "ask", ""])
    ]


def test_filled_in_facts_are_those_of_a_merge_and_a_second_time_changes_nothing(
    engine: Engine, session: Session, workspace: Workspace, companion: UUID
) -> None:
    record(session, workspace_id=workspace.id, events=some(companion))
    session.commit()
    whole = facts_of(engine, workspace.id)
    session.execute(AS_BEFORE)
    session.commit()
    assert facts_of(engine, workspace.id) != whole
    for _ in range(2):
        assert fact_filling.fill(engine, size=2) == 1
        assert facts_of(engine, workspace.id) == whole


def test_what_comes_in_meanwhile_is_kept(
    engine: Engine,
    session: Session,
    workspace: Workspace,
    companion: UUID,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    record(session, workspace_id=workspace.id, events=some(companion))
    session.execute(AS_BEFORE)
    session.commit()
    mend, turns = fact_filling._mend, []

    def meanwhile(*arguments: object) -> None:
        turn = len(turns)
        earlier = event(companion, turn, "tell", -turn, version=5)
        record(session, workspace_id=workspace.id, events=[earlier, event(companion, turn + 1, "more", 500)])
        session.commit()
        turns.append(turn)
        mend(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(fact_filling, "_mend", meanwhile)
    fact_filling.fill_log(engine, workspace_id=workspace.id, log_id=companion, size=2)
    filled = facts_of(engine, workspace.id)
    facts.rebuild(session, workspace_id=workspace.id, log_id=companion)
    session.commit()
    assert len(turns) == 4
    assert facts_of(engine, workspace.id) == filled


def test_the_migration_asks_for_it_where_there_are_runs(
    engine: Engine, session: Session, workspace: Workspace, companion: UUID
) -> None:
    jobs = text("SELECT task_name FROM procrastinate_jobs")
    assert session.execute(jobs).scalars().all() == []
    record(session, workspace_id=workspace.id, events=some(companion))
    session.commit()
    whole = facts_of(engine, workspace.id)
    session.execute(text("ALTER TABLE run_fact DROP COLUMN step_at, DROP COLUMN flow_version"))
    session.execute(text("UPDATE alembic_version SET version_num = '0002'"))
    session.commit()
    migrate.upgrade(engine, "0004_fact_columns")
    (name,) = session.execute(jobs).scalars().all()
    find(name).run()
    assert facts_of(engine, workspace.id) == whole
