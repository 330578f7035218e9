"""Facts made anew after a bulk load: the planner knows the tables, and no plan goes through one side for each row of the other."""

import json
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from psycopg import sql
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from flows import keep_events
from leitstand.cli import main
from leitstand.db.engine import driver_cursor
from leitstand.db.models import Workspace
from leitstand.events import facts
from leitstand.events.rebuilding import rebuild_workspace, renew_statistics
from leitstand.events.writer import REPEATED
from tests.integration.events.archiving import NEW, OLD, made
from tests.integration.events.support import facts_of

BULK = """
INSERT INTO event (workspace_id, event_id, kind, companion_id, run_key, step, actor_key, occurred_at, source, content_hash)
SELECT e.workspace_id, (substr(e.event_id::text, 1, 24) || lpad(to_hex(n), 12, '0'))::uuid, kind, companion_id,
       'run ' || n % 700, 'step ' || n % 5, 'ann', e.occurred_at + n * interval '1 millisecond', 'bulk', n
FROM event AS e, generate_series(CAST(:first AS int), :last) AS n WHERE e.source = 'runtime'
"""
Send = Callable[..., list[str]]


@pytest.fixture
def loaded(engine: Engine, session: Session, companion: UUID, send: Send) -> UUID:
    """Thousands of events of two months in tables that were never analysed."""
    send(made(companion, OLD), made(companion, NEW))
    session.execute(text(BULK), {"first": 1, "last": 4_000})
    session.commit()
    return companion


def known(session: Session) -> bool:
    session.rollback()
    query = (
        "SELECT EXISTS (SELECT FROM pg_stats WHERE tablename = 'event' AND inherited AND attname = 'run_key')"
    )
    return bool(session.scalar(text(query)))


def nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    """A plan's nodes, depth first."""
    return [plan, *(node for below in plan.get("Plans", []) for node in nodes(below))]


def explained(session: Session, statement: str | sql.Composable, values: dict[str, Any], *, how: str = "FORMAT JSON") -> list[dict[str, Any]]:  # fmt: skip
    cursor = driver_cursor(session)
    said = statement if isinstance(statement, sql.Composable) else sql.SQL(statement)  # type: ignore[arg-type]
    cursor.execute(sql.SQL("EXPLAIN ({}) {}").format(sql.SQL(how), said), values)  # type: ignore[arg-type]
    (plan,) = cursor.fetchone()[0]
    return nodes(plan["Plan"])


def test_a_rebuild_leaves_the_events_analysed_and_the_facts_right(
    engine: Engine, session: Session, workspace: Workspace, loaded: UUID
) -> None:
    assert not known(session)
    assert rebuild_workspace(engine, workspace_id=workspace.id) == 1
    assert known(session)
    assert len(facts_of(engine, workspace.id)["runs"]) == 701
    assert session.scalar(text("SELECT sum(events) FROM actor_bucket")) == 8_002
    session.rollback()
    assert renew_statistics(engine) == []
    session.execute(text(BULK), {"first": 4_001, "last": 15_000})
    # Otherwise PostgreSQL counts what was written up to ten seconds later.
    session.execute(text("SELECT pg_stat_force_next_flush()"))
    session.commit()
    assert renew_statistics(engine) == ["event"]


def test_no_statement_of_a_rebuild_joins_each_row_with_each(
    session: Session, workspace: Workspace, loaded: UUID
) -> None:
    values = facts.of_log(workspace_id=workspace.id, log_id=loaded)
    cursor = driver_cursor(session)
    _, events = facts.events_of_log(cursor, workspace_id=workspace.id, log_id=loaded)
    with facts.many_rows(cursor):
        rebuilding = explained(session, facts.runs_of(events), values)
    assert "Nested Loop" not in {node["Node Type"] for node in rebuilding}
    assert session.scalar(text("SHOW enable_nestloop")) == "on"


def incoming_again(engine: Engine, session: Session) -> None:
    """The first event once more, before tables that the planner knows."""
    renew_statistics(engine)
    session.rollback()
    session.execute(text("DROP TABLE IF EXISTS incoming_event, fresh_event"))
    session.execute(text("CREATE TEMP TABLE incoming_event AS SELECT 1 AS place, event_id, content_hash FROM event WHERE source = 'runtime' AND occurred_at < '2023-02-01Z'"))  # fmt: skip
    session.execute(text("CREATE TEMP TABLE fresh_event (event_id uuid)"))


def test_an_event_of_a_workspace_that_no_statistics_know_is_looked_up_by_its_key(
    session: Session, loaded: UUID, engine: Engine
) -> None:
    incoming_again(engine, session)
    found = explained(session, REPEATED, {"workspace": uuid4(), "import": None})
    indexes = {node["Index Name"] for node in found if "Index Name" in node}
    assert indexes and all(name.endswith("_pkey") for name in indexes)


def test_an_event_is_looked_up_in_its_own_month_alone(
    session: Session, workspace: Workspace, loaded: UUID, send: Send, engine: Engine
) -> None:
    incoming_again(engine, session)
    found = explained(session, REPEATED, {"workspace": workspace.id, "import": None}, how="ANALYZE, FORMAT JSON")  # fmt: skip
    read = {node["Relation Name"]: node["Actual Loops"] for node in found if "event_p" in node.get("Relation Name", "")}  # fmt: skip
    assert read["event_p2023_01"] == 1
    assert read.get("event_p2023_02", 0) == 0


def test_the_flow_and_the_command_do_so_too(
    session: Session, loaded: UUID, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "event" in keep_events.renew.fn()
    assert known(session)
    capsys.readouterr()
    with pytest.raises(SystemExit) as end:
        main(["insights", "rebuild", "--workspace", "demo", "--json"])
    assert not end.value.code
    assert json.loads(capsys.readouterr().out)["logs"] == 1
