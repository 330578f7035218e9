"""The worst day: no database, perhaps no store. A runbook runs all the same, and its evidence is never lost."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from leitstand.backups.conditions import conditions
from leitstand.backups.places import RECORD
from leitstand.db.engine import transaction
from leitstand.db.models import Drill, EvidenceLink
from leitstand.errors import Conflict
from leitstand.runbooks import pending
from leitstand.runbooks.audit import audit
from leitstand.runbooks.delivering import adopt
from leitstand.runbooks.holding import file_lock, one_at_a_time
from leitstand.runbooks.results import DrillResult
from tests.runbooks import Bench, bench

__all__ = ["bench"]
pytestmark = pytest.mark.slow


def rows(bench: Bench) -> list[tuple[str, str, str]]:
    with transaction(bench.engine) as session:
        found = session.scalars(select(Drill).order_by(Drill.started_at))
        return [(row.kind, row.status, row.chain_sha256) for row in found]


def waiting(bench: Bench) -> list[str]:
    return [str(one.note.run_id) for one in pending.pending(bench.settings)]


def wrong(bench: Bench, later: timedelta = timedelta()) -> dict[str, str]:
    with transaction(bench.engine) as session:
        found = conditions(session, bench.settings, now=datetime.now(UTC) + later)
    return {one.name: one.says for one in found}


def test_a_run_without_a_database_is_archived_and_taken_up_by_the_next_one(bench: Bench) -> None:
    bench.write("print('the database answers:', work.database_answers())")
    dark = bench.without_database().run({"greeting": "good night"})
    assert dark.ok, dark.error
    assert dark.chain_sha256 == "" and "database" in dark.waiting
    assert b"the database answers: False" in bench.stored(dark.notebook), "the store has it already"
    assert waiting(bench) == [str(dark.drill_id)] and rows(bench) == []
    told: list[str] = []
    light = bench.run(progress=told.append)
    assert light.ok, light.error
    assert any(str(dark.drill_id) in line and "taken up" in line for line in told)
    assert [(kind, status) for kind, status, _ in rows(bench)] == [("bench", "passed")] * 2
    assert waiting(bench) == []
    with transaction(bench.engine) as session:
        assert [
            link.run_id for link in session.scalars(select(EvidenceLink).order_by(EvidenceLink.sequence))
        ] == [dark.drill_id, light.drill_id]
        row = session.get_one(Drill, dark.drill_id)
        assert (row.category, row.requested_by, row.parameters["greeting"]) == (
            "runbook",
            "anna",
            "good night",
        )
        assert row.figures["checks"] == [
            {"name": "it was looked at", "verdict": "passed", "detail": "good night"}
        ]
        assert audit(session, bench.settings).problems == []


@pytest.mark.long
def test_without_a_store_too_the_evidence_stays_here_until_both_answer(bench: Bench) -> None:
    bench.write()
    nothing = Bench(
        bench.without_store().settings.model_copy(
            update={"database_url_override": bench.without_database().settings.database_url_override}
        ),
        bench.without_database().engine,
    )
    dark = nothing.run()
    assert dark.ok and dark.notebook.startswith(str(bench.settings.data_dir))
    assert "object store" in dark.waiting
    (still,) = adopt(bench.engine, bench.without_store().settings)
    assert "object store" in still.waiting and waiting(bench) == [str(dark.drill_id)]
    assert "evidence-waiting" not in wrong(bench), "not at once"
    assert (
        "evidence of a run is on this machine alone" in wrong(bench, timedelta(hours=2))["evidence-waiting"]
    )
    bench.storage.ensure_buckets()
    (taken,) = adopt(bench.engine, bench.settings)
    assert taken.waiting == "" and waiting(bench) == []
    assert [status for _, status, _ in rows(bench)] == ["passed"]
    assert adopt(bench.engine, bench.settings) == [], "and only once"
    assert "evidence-waiting" not in wrong(bench, timedelta(hours=2))


def test_a_database_of_another_version_is_as_good_as_none(bench: Bench) -> None:
    """The runbook for a failed migration has to run while the schema is not ours."""
    bench.write()
    with transaction(bench.engine) as session:
        session.connection().exec_driver_sql("ALTER TABLE drill RENAME COLUMN lineage TO earlier_name")
    result = bench.run()
    assert result.ok, result.error
    assert "schema" in result.waiting and waiting(bench) == [str(result.drill_id)]
    with transaction(bench.engine) as session:
        session.connection().exec_driver_sql("ALTER TABLE drill RENAME COLUMN earlier_name TO lineage")
    adopt(bench.engine, bench.settings)
    assert [status for _, status, _ in rows(bench)] == ["passed"]


def test_one_at_a_time_without_a_database_too(bench: Bench) -> None:
    dark = bench.without_database()
    with one_at_a_time(dark.engine, dark.settings) as held:
        assert not held.database
        with pytest.raises(Conflict, match="Another restore drill"), file_lock(bench.settings):
            pass
        with pytest.raises(Conflict), one_at_a_time(bench.engine, bench.settings):
            pass
    with one_at_a_time(bench.engine, bench.settings) as held:
        assert held.database


def test_who_asked_from_a_page_waits_for_its_turn(bench: Bench) -> None:
    begun, end = threading.Event(), threading.Event()

    def other() -> None:
        with one_at_a_time(bench.engine, bench.settings):
            begun.set()
            end.wait(60)

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(other)
        assert begun.wait(60)
        with pytest.raises(Conflict), one_at_a_time(bench.engine, bench.settings, patience=0.1):
            pass
        threading.Timer(0.2, end.set).start()
        with one_at_a_time(bench.engine, bench.settings, patience=60) as held:
            assert held.database and end.is_set()
        running.result()


def test_what_waits_holds_no_secret(bench: Bench) -> None:
    bench.write("evidence.check('shown', True, work.settings.session_secret.get_secret_value())")
    dark: DrillResult = bench.without_database().run()
    assert dark.checks[0]["detail"] == "[redacted]"
    (one,) = pending.pending(bench.settings)
    kept = b"".join(path.read_bytes() for path in one.folder.iterdir())
    assert bench.settings.session_secret.get_secret_value().encode() not in kept
    assert json.loads(one.read(RECORD))["checks"][0]["detail"] == "[redacted]"
    assert all(path.stat().st_mode & 0o077 == 0 for path in one.folder.iterdir())
