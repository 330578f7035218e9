"""The copier: nothing lost or doubled with writers beside it, whole whenever it is killed, made again when it is void."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from click.testing import CliRunner
from sqlalchemy import Engine, func, select, text
from sqlalchemy.orm import Session

from leitstand.catalogue.companions import ensure_companion
from leitstand.checks.fact_copy import check_copies
from leitstand.checks.metrics import ChecksCollector
from leitstand.cli.insights import group
from leitstand.db.exclusive import exclusive
from leitstand.db.ids import derived_uuid7
from leitstand.db.models import ActorBucket, CheckRun, FactChange, FactCopy, FactPart, RunFact, Workspace
from leitstand.errors import Conflict
from leitstand.events import facts
from leitstand.events.ledger import IncomingEvent, record
from leitstand.insights import opening, traffic
from leitstand.insights.columnar.facts import columnar_facts
from leitstand.insights.copy import copier, parts, tidying
from leitstand.insights.copy.copier import Copied, copy_facts
from leitstand.insights.copy.snapshots import snapshot
from leitstand.insights.copy.state import read_state
from leitstand.insights.opening import SurvivingFacts, open_facts
from leitstand.insights.scope import Scope
from leitstand.insights.sources import PostgresFacts, row
from leitstand.settings import REPOSITORY, Settings, load_settings
from leitstand.storage.store import store_of
from tests.integration.insights.engines import answers, differing

BEGIN = datetime(2026, 1, 30, 22, tzinfo=UTC)
RUNS = select(func.count(), func.coalesce(func.sum(RunFact.events), 0))
ACTORS = select(func.count(), func.coalesce(func.sum(ActorBucket.events), 0))
OLDEST = text("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
PATIENCE = 120
Send = Callable[..., None]
Copy = Callable[..., list[Copied]]


@pytest.fixture
def companion(session: Session, workspace: Workspace) -> UUID:
    made = ensure_companion(session, workspace_id=workspace.id, key="helper")
    session.commit()
    return made


def event(companion: UUID, run: str, day: float, step: str = "ask") -> IncomingEvent:
    at = BEGIN + timedelta(days=day)
    return IncomingEvent(
        event_id=derived_uuid7(at, f"{run}{day}{step}".encode()), kind="answered", companion_id=companion,
        run_key=run, step=step, actor_key=f"actor-{run}", occurred_at=at,
    )  # fmt: skip


@pytest.fixture
def send(session: Session, workspace: Workspace, companion: UUID) -> Send:
    def send(*runs_and_days: tuple[str, float]) -> None:
        events = [event(companion, run, day) for run, day in runs_and_days]
        record(session, workspace_id=workspace.id, events=events)
        session.commit()

    return send


@pytest.fixture
def copy(engine: Engine, settings: Settings, workspace: Workspace) -> Copy:
    def copy(**more: Any) -> list[Copied]:
        wait_for_older_transactions(engine)
        return copy_facts(engine, settings, workspace=workspace.slug, **more)

    return copy


def wait_for_older_transactions(engine: Engine) -> None:
    """Until what is committed lies behind the watermark: other tests' transactions on the same server hold it back."""
    with engine.connect() as connection:
        now = connection.scalar(text("SELECT pg_current_xact_id()::text::bigint"))
        connection.commit()
        end = time.monotonic() + PATIENCE
        while connection.scalar(OLDEST) <= now:
            assert time.monotonic() < end, "a transaction of another test does not end"
            connection.rollback()
            time.sleep(0.02)


@pytest.fixture
def scope(workspace: Workspace) -> Scope:
    return Scope(workspace.id, None, date(2026, 1, 1), date(2026, 6, 1), "Europe/Berlin")


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "_failed", {})


def changed(session: Session) -> set[tuple[str, date]]:
    session.rollback()
    return {(it.fact, it.day) for it in session.scalars(select(FactChange))}


def written(copied: list[Copied]) -> int:
    return sum(it.written for it in copied)


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


# --- killed, lost, void ---

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
        ("parts", "make_part", True),
        ("manifest", "write", False),
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


def answered_by(session: Session, settings: Settings, scope: Scope) -> type[Any]:
    with open_facts(session, scope, settings=settings) as found:
        assert answers(found, scope) == answers(session, scope)
        return type(found._facts if isinstance(found, SurvivingFacts) else found)


@pytest.mark.parametrize("how", ["cluster = 'another'", "watermark = '9000000000000'"])
def test_after_a_dump_was_loaded_elsewhere_postgresql_answers_until_the_copy_is_made_again(
    session: Session, settings: Settings, send: Send, copy: Copy, scope: Scope, how: str
) -> None:
    send(("a", 0), ("b", 40))
    copy()
    assert answered_by(session, settings, scope) is not PostgresFacts
    session.execute(text(f"UPDATE fact_copy SET {how}"))
    session.execute(text("UPDATE run_fact SET completed_at = last_at, started_at = first_at"))
    # What the other server logged last, with ids that this one has yet to give.
    session.execute(text("UPDATE fact_change SET changed = '9000000000001'"))
    session.commit()
    assert answered_by(session, settings, scope) is PostgresFacts
    assert written(copy()) == 2 * 2
    assert answered_by(session, settings, scope) is not PostgresFacts
    assert changed(session) == set()


@pytest.fixture
def elsewhere(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """The same services from a machine that has no part yet."""
    monkeypatch.setenv("LEITSTAND_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("LEITSTAND_PORT", str(settings.port))
    yield load_settings()


def test_a_lost_part_is_noticed_by_readers_and_written_again(
    session: Session, settings: Settings, elsewhere: Settings, send: Send, copy: Copy, scope: Scope
) -> None:
    send(("a", 0), ("b", 40))
    copy()
    key = session.scalars(select(FactPart.key)).first()
    assert key
    store_of(settings).delete(settings.bucket_insights, key)
    assert answered_by(session, elsewhere, scope) is PostgresFacts
    opening._failed.clear()
    assert written(copy()) == 1
    assert answered_by(session, elsewhere, scope) is not PostgresFacts


def test_a_store_that_is_away_leaves_the_answers_to_postgresql(
    session: Session,
    elsewhere: Settings,
    send: Send,
    copy: Copy,
    scope: Scope,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    send(("a", 0))
    copy()
    monkeypatch.setenv("LEITSTAND_S3_ENDPOINT", "http://127.0.0.1:9")
    assert answered_by(session, load_settings(), scope) is PostgresFacts


def test_a_copy_that_is_far_behind_leaves_the_answers_to_postgresql(
    session: Session, settings: Settings, send: Send, copy: Copy, scope: Scope
) -> None:
    send(("a", 0))
    copy()
    send(*((f"b{day}", day) for day in range(12)))
    assert answered_by(session, settings, scope) is PostgresFacts
    copy()
    assert answered_by(session, settings, scope) is not PostgresFacts


def test_a_part_that_goes_while_it_is_asked_leaves_the_answers_to_postgresql(
    session: Session, elsewhere: Settings, send: Send, copy: Copy, scope: Scope
) -> None:
    send(("a", 0))
    copy()
    with open_facts(session, scope, settings=elsewhere) as found:
        assert isinstance(found, SurvivingFacts)
        for path in (elsewhere.data_dir / "insights" / "parts").iterdir():
            path.unlink()
        assert traffic.events(found, scope) == 1
        assert isinstance(found._facts, PostgresFacts)


@pytest.mark.parametrize(("engine_", "days", "kind"), [("postgres", 90, "Postgres"), ("auto", 1, "Postgres"), ("auto", 90, "Surviving"), ("columnar", 1, "Surviving")])  # fmt: skip
def test_the_engine_is_the_settings_or_the_ranges(
    session: Session,
    settings: Settings,
    send: Send,
    copy: Copy,
    scope: Scope,
    engine_: str,
    days: int,
    kind: str,
) -> None:
    send(("a", 0))
    copy()
    narrow = Scope(scope.workspace_id, None, scope.start, scope.start + timedelta(days=days), "UTC")
    chosen = settings.model_copy(update={"insights_engine": engine_})
    with open_facts(session, narrow, settings=chosen) as found:
        assert type(found).__name__ == f"{kind}Facts"


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
