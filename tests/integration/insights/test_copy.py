"""The copier: nothing lost or doubled with writers beside it, whole whenever it is killed, made again when it is void."""

import os
import signal
import subprocess
import sys
import threading
import time
from datetime import date, timedelta
from uuid import UUID

import pytest
from click.testing import CliRunner
from sqlalchemy import Engine, func, select, text
from sqlalchemy.orm import Session

from leitstand.checks.fact_copy import check_copies
from leitstand.checks.metrics import ChecksCollector
from leitstand.cli.insights import group
from leitstand.db.exclusive import exclusive
from leitstand.db.models import ActorBucket, CheckRun, FactCopy, FactPart, RunFact, Workspace
from leitstand.errors import Conflict
from leitstand.events import facts
from leitstand.events.ledger import record
from leitstand.insights.columnar.facts import columnar_facts
from leitstand.insights.copy import copier, manifest, parts, tidying
from leitstand.insights.copy.copier import copy_facts
from leitstand.insights.copy.snapshots import snapshot
from leitstand.insights.copy.state import read_state
from leitstand.insights.scope import Scope
from leitstand.insights.sources import row
from leitstand.settings import REPOSITORY, Settings
from leitstand.storage.store import store_of
from tests.integration.insights.copies import Copy, Send, changed, event, written
from tests.integration.insights.engines import answers, differing

RUNS = select(func.count(), func.coalesce(func.sum(RunFact.events), 0))
ACTORS = select(func.count(), func.coalesce(func.sum(ActorBucket.events), 0))


# --- the log of changes ---


def test_every_change_of_a_fact_is_logged_with_its_day(
    session: Session, workspace: Workspace, companion: UUID, send: Send, copy: Copy
) -> None:
    send(("a", 0), ("b", 1))
    days = {("run", date(2026, 1, 30)), ("run", date(2026, 1, 31)), ("actor", date(2026, 1, 30))}
    days |= {("actor", date(2026, 1, 31))}
    assert changed(session) == days
    copy()
    assert changed(session) == set()
    facts.complete_again(session, workspace_id=workspace.id, log_id=companion)
    session.commit()
    assert changed(session) == set()
    facts.rebuild(session, workspace_id=workspace.id, log_id=companion)
    session.commit()
    assert changed(session) == days


def test_a_run_that_moves_to_another_day_changes_both(session: Session, send: Send, copy: Copy) -> None:
    send(("a", 3))
    copy()
    send(("a", 1))
    assert {day for fact, day in changed(session) if fact == "run"} == {date(2026, 1, 31), date(2026, 2, 2)}


def test_a_companions_and_a_workspaces_deletion_are_changes(
    session: Session,
    settings: Settings,
    workspace: Workspace,
    companion: UUID,
    send: Send,
    copy: Copy,
    scope: Scope,
) -> None:
    send(("a", 0), ("b", 40))
    copy()
    session.execute(text("DELETE FROM item WHERE id = :id"), {"id": companion})
    session.commit()
    assert differing(session, settings, scope) == {}
    assert answers(session, scope)["events"] == 0
    copy()
    assert differing(session, settings, scope) == {}
    assert session.scalars(select(FactPart).where(FactPart.replaced_at.is_(None))).all() == []
    session.execute(text("DELETE FROM workspace WHERE id = :id"), {"id": workspace.id})
    session.commit()
    assert session.scalars(select(FactCopy)).all() == []


# --- what is copied when ---


def test_only_changed_months_are_written_again(send: Send, copy: Copy) -> None:
    send(("a", 0), ("b", 40))
    assert written(copy()) == 2 * 2
    assert copy() == []
    send(("c", 41))
    assert written(copy()) == 2


def test_a_day_that_still_changes_waits_and_is_copied_when_it_came_to_rest(
    session: Session, settings: Settings, send: Send, copy: Copy, scope: Scope
) -> None:
    send(("a", 0))
    copy()
    for place in range(3):
        send((f"b{place}", 1))
        assert copy(settled=True) == []
        assert differing(session, settings, scope) == {}
    assert written(copy(settled=True)) == 2
    assert differing(session, settings, scope) == {}


def test_many_days_that_change_are_copied_at_once(send: Send, copy: Copy) -> None:
    send(("a", 0))
    copy()
    send(*((f"b{day}", day) for day in range(1, 6)))
    assert written(copy(settled=True)) > 0


def test_small_workspaces_are_not_copied_unless_named(
    engine: Engine, session: Session, settings: Settings, send: Send, copy: Copy
) -> None:
    send(("a", 0))
    assert copy_facts(engine, settings) == []
    assert changed(session) == set()
    send(("b", 0))
    assert written(copy()) == 2
    send(("c", 0))
    assert written(copy_facts(engine, settings)) == 2


def test_one_copier_at_a_time(engine: Engine, copy: Copy) -> None:
    with exclusive(engine, copier.LOCK), pytest.raises(Conflict, match="is running"):
        copy()


def test_the_command_copies_and_says_what(send: Send, workspace: Workspace, settings: Settings) -> None:
    send(("a", 0))
    told = CliRunner().invoke(group, ["copy", "--workspace", workspace.slug])
    assert "demo: 2 parts, 2 rows" in told.output
    assert CliRunner().invoke(group, ["copy", "--json"]).output.strip() == '{"copied": []}'


# --- beside writers ---


def test_nothing_is_lost_or_counted_twice_while_others_write(
    engine: Engine, settings: Settings, workspace: Workspace, companion: UUID, copy: Copy
) -> None:
    """In one snapshot, copy and changes together are the facts: while writers commit in another order than they began."""
    copy()
    stop, seen = threading.Event(), 0
    writers = [
        threading.Thread(target=_write, args=(engine, workspace.id, companion, it, stop)) for it in range(4)
    ]
    copying = threading.Thread(target=_copy_on, args=(copy, stop))
    for thread in (*writers, copying):
        thread.start()
    try:
        end = time.monotonic() + 8
        while time.monotonic() < end:
            seen += _compare(settings, workspace.id)
    finally:
        stop.set()
        for thread in (*writers, copying):
            thread.join()
    assert _compare(settings, workspace.id) == 1
    assert seen > 3
    with Session(engine) as session:
        assert session.scalar(select(FactCopy.generation)) > 2
        events = session.scalar(text("SELECT count(*) FROM event"))
        assert session.scalar(select(func.sum(RunFact.events))) == events > 50


def _write(engine: Engine, workspace_id: UUID, companion: UUID, writer: int, stop: threading.Event) -> None:
    place = 0
    while not stop.is_set():
        with Session(engine) as session, session.begin():
            # The transaction's id is taken first, and it ends at its own time.
            session.execute(text("SELECT pg_current_xact_id()"))
            time.sleep((writer * 7 + place) % 5 / 50)
            runs = [
                event(companion, f"{writer}-{place // 3}", (place * 11 + it) % 45 + writer / 9)
                for it in range(3)
            ]
            record(session, workspace_id=workspace_id, events=runs)
            time.sleep((place % 3) / 50)
        place += 1


def _copy_on(copy: Copy, stop: threading.Event) -> None:
    while not stop.is_set():
        copy()


def _compare(settings: Settings, workspace_id: UUID) -> int:
    """Both engines in the same snapshot."""
    with snapshot(settings, timeout_ms=30_000) as view:
        state = read_state(view, workspace_id)
        assert state is not None
        known = view.rows("SELECT count(*), coalesce(sum(events), 0)::bigint FROM run_fact")
        known += view.rows("SELECT count(*), coalesce(sum(events), 0)::bigint FROM actor_bucket")
        with columnar_facts(settings, view, state) as found:
            assert [tuple(row(found, RUNS)), tuple(row(found, ACTORS))] == known
    return 1


def test_what_begins_and_ends_while_a_copier_notes_its_copy_stays_in_the_log(
    engine: Engine,
    session: Session,
    settings: Settings,
    workspace: Workspace,
    send: Send,
    copy: Copy,
    scope: Scope,
) -> None:
    """Its transaction has a later id than the copier's, and is no other server's for that."""
    send(("a", 0))
    copy()
    with snapshot(settings, timeout_ms=30_000) as view:
        state = read_state(view, workspace.id)
        (watermark, cluster) = view.rows(copier.NOW)[0]
    with Session(engine) as noting, noting.begin():
        noting.execute(text("SELECT pg_current_xact_id()"))
        send(("b", 1))
        manifest.write(noting, workspace.id, state, {}, watermark=watermark, cluster=cluster)
    assert {day for _, day in changed(session)} >= {date(2026, 1, 31)}
    assert differing(session, settings, scope) == {}


# --- killed ---

DYING = """
import os, signal
from leitstand.db.engine import get_engine
from leitstand.insights.copy import copier, manifest, parts, tidying
from leitstand.settings import load_settings
def die(*arguments, **named):
    if {after}:
        kept(*arguments, **named)
    os.kill(os.getpid(), signal.SIGKILL)
kept = {module}.{step}
{module}.{step} = die
copier.copy_facts(get_engine(), load_settings(), workspace="demo")
"""


def _as_soon_as_the_server_lets_go(copy: Copy) -> None:
    """Copy once the server has noticed that the killed copier's connections, and its lock with them, are gone."""
    end = time.monotonic() + 30
    while True:
        try:
            copy()
            return
        except Conflict:
            assert time.monotonic() < end
            time.sleep(0.1)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "step", "after"),
    [
        ("parts", "make_part", False),
        pytest.param("parts", "make_part", True, marks=pytest.mark.long),
        pytest.param("manifest", "write", False, marks=pytest.mark.long),
        ("manifest", "write", True),
        ("tidying", "tidy", False),
    ],
)
def test_a_copier_that_is_killed_leaves_a_copy_that_is_right(
    session: Session,
    settings: Settings,
    send: Send,
    copy: Copy,
    scope: Scope,
    module: str,
    step: str,
    after: bool,
) -> None:
    send(("a", 0), ("b", 40))
    copy()
    send(("a", 1), ("c", 41), ("d", 70))
    code = DYING.format(module=module, step=step, after=after)
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    assert differing(session, settings, scope) == {}
    _as_soon_as_the_server_lets_go(copy)
    assert differing(session, settings, scope) == {}
    assert list(parts.folder_of(settings).iterdir()) == []


# --- tidying, checking ---


def test_what_no_copy_has_any_more_goes_after_a_while(
    engine: Engine, session: Session, settings: Settings, send: Send, copy: Copy, scope: Scope
) -> None:
    send(("a", 0))
    copy()
    send(("b", 0))
    copy()
    storage = store_of(settings)
    stored = {it.key for it in storage.list(settings.bucket_insights, f"facts/{scope.workspace_id}/")}
    current = set(session.scalars(select(FactPart.key).where(FactPart.replaced_at.is_(None))))
    assert current < stored
    assert len(stored) == 4
    tidying.tidy(engine, storage, grace=timedelta(0))
    kept = {it.key for it in storage.list(settings.bucket_insights, f"facts/{scope.workspace_id}/")}
    assert kept == current
    assert differing(session, settings, scope) == {}


def test_a_planted_difference_is_found_by_day_and_raises_the_gauge(
    engine: Engine, session: Session, settings: Settings, send: Send, copy: Copy
) -> None:
    send(("a", 0), ("b", 1), ("c", 40))
    copy()
    assert check_copies(engine, settings).success
    # As if a trigger had been switched off by hand.
    session.execute(text("ALTER TABLE run_fact DISABLE TRIGGER note_update"))
    session.execute(
        text("UPDATE run_fact SET last_at = last_at + interval '1 microsecond' WHERE run_key = 'b'")
    )
    session.execute(text("ALTER TABLE run_fact ENABLE TRIGGER note_update"))
    session.commit()
    result = check_copies(engine, settings)
    (line,) = result.results
    assert (result.success, result.violated, line["unexpected"]) == (False, ["copy-equals-facts"], 1)
    assert (line["examples"][0]["fact"], line["examples"][0]["day"]) == ("run", "2026-01-31")
    assert session.query(CheckRun).count() == 2
    days, *_ = ChecksCollector(engine).collect()
    assert [(it.labels["check"], it.value) for it in days.samples] == [("copy-equals-facts", 1)]


def test_copiers_of_two_databases_on_one_machine_leave_each_others_work_alone(settings: Settings) -> None:
    other = settings.model_copy(
        update={"database_url_override": "postgresql+psycopg://leitstand@127.0.0.1/other"}
    )
    at_work = parts.folder_of(other) / "half.parquet"
    at_work.write_bytes(b"half")
    parts.sweep(parts.folder_of(settings))
    assert at_work.exists()
    parts.sweep(parts.folder_of(other))
    assert not at_work.exists()
