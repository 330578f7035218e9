"""What is kept of runs, what is told of them, and when a run after an ingestion is asked for."""

from datetime import UTC, datetime, timedelta

from click.testing import CliRunner
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from leitstand.backups.conditions import conditions
from leitstand.checks import history, ingested
from leitstand.checks.ingested import ask_for_checks
from leitstand.checks.result import LIVE, CheckResult
from leitstand.cli.checks import group
from leitstand.db.models import Backup, CheckRun
from leitstand.settings import Settings


def result(*, failing: str = "", suite: str = "all", target: str = LIVE, seconds: float = 2.0) -> CheckResult:
    """A run of two suites with a check each, one of which may fail."""
    lines = [
        {"name": f"{name}-rule", "suite": name, "table": "event", "says": "It is so.", "success": name != failing,
         "unexpected": int(name == failing), "examples": [], "error": "", "skipped": ""}
        for name in ("events", "runs")
    ]  # fmt: skip
    return CheckResult(
        not failing, 2, int(bool(failing)), lines, suite, target, seconds, "head", suites=["events", "runs"]
    )


def kept(engine: Engine, settings: Settings, found: CheckResult, *, hours: float = 0) -> CheckResult:
    """Keep a run as if it had ended so long ago."""
    found = history.keep(engine, settings, found)
    with Session(engine) as session, session.begin():
        session.execute(
            text("UPDATE check_run SET at = at - :ago * interval '1 hour' WHERE result ->> 'run_id' = :run"),
            {"ago": hours, "run": found.run_id},
        )
    return found


def names(session: Session, settings: Settings) -> list[str]:
    return [it.name for it in conditions(session, settings) if it.name.startswith("checks-")]


def test_a_store_that_does_not_answer_costs_the_page_and_not_the_rows(
    engine: Engine, session: Session, settings: Settings
) -> None:
    away = settings.model_copy(update={"bucket_evidence": "no-such-bucket"})
    found = history.keep(engine, away, result(failing="runs"))
    assert found.documents == ""
    (run,) = history.latest(session)
    assert (run.failed, run.violated, run.suite, run.documents) == (1, ["runs-rule"], "all", "")


def test_a_suite_that_fails_is_told_until_it_holds(
    engine: Engine, session: Session, settings: Settings
) -> None:
    kept(engine, settings, result(), hours=2)
    assert names(session, settings) == []
    kept(engine, settings, result(failing="runs", suite="ingestion"), hours=1)
    assert names(session, settings) == ["checks-failing"]
    (told,) = [it for it in conditions(session, settings) if it.name == "checks-failing"]
    assert "runs (1)" in told.says and "events" not in told.says
    kept(engine, settings, result(suite="ingestion"))
    assert names(session, settings) == []


def test_a_suite_that_is_gone_and_a_restored_database_are_not_told_of(
    engine: Engine, session: Session, settings: Settings
) -> None:
    kept(engine, settings, result(failing="runs"), hours=3)
    kept(engine, settings, result(failing="events", target="drill of backup x"), hours=1)
    rows = CheckResult(True, 1, 0, result().of_suite("events"), "all", LIVE, 1, suites=["events"])
    kept(engine, settings, rows)
    assert names(session, settings) == []


def test_checks_that_have_not_run_for_a_day_are_told_of(
    engine: Engine, session: Session, settings: Settings
) -> None:
    assert names(session, settings) == []
    old = datetime.now(UTC) - timedelta(hours=27)
    session.add(Backup(kind="postgres", engine="e", started_at=old))
    session.commit()
    assert names(session, settings) == ["checks-late"]
    kept(engine, settings, result(), hours=27)
    kept(engine, settings, result(suite="ingestion"))
    assert names(session, settings) == ["checks-late"]
    kept(engine, settings, result())
    assert names(session, settings) == []


def test_old_rows_go_and_small_ones_sooner(engine: Engine, session: Session, settings: Settings) -> None:
    runs = {
        "old": kept(engine, settings, result(), hours=91 * 24),
        "whole": kept(engine, settings, result(), hours=89 * 24),
        "small": kept(engine, settings, result(suite="ingestion"), hours=8 * 24),
        "failed": kept(engine, settings, result(suite="ingestion", failing="runs"), hours=8 * 24),
    }
    kept(engine, settings, result())
    left = {run.run_id for run in history.latest(session)}
    assert {name for name, run in runs.items() if run.run_id in left} == {"whole", "failed"}
    assert (
        session.query(CheckRun).where(CheckRun.result["run_id"].astext == runs["small"].run_id).count() == 0
    )


def test_runs_are_asked_for_once_however_much_comes_in(
    engine: Engine, session: Session, settings: Settings
) -> None:
    first = ask_for_checks(session)
    assert first is not None and ask_for_checks(session) is None
    session.commit()
    job = session.execute(
        text("SELECT task_name, args ->> 'suite', scheduled_at - now() FROM procrastinate_jobs")
    ).one()
    assert tuple(job[:2]) == ("operations.checks", "ingestion")
    assert timedelta() < job[2] <= ingested.PAUSE + timedelta(minutes=1)
    session.execute(text("UPDATE procrastinate_jobs SET status = 'succeeded'"))
    session.commit()
    kept(engine, settings, result(suite="ingestion", seconds=600))
    assert ask_for_checks(session) is not None
    (later,) = session.execute(
        text("SELECT scheduled_at - now() FROM procrastinate_jobs WHERE status = 'todo'")
    ).scalars()
    assert timedelta(minutes=90) < later <= timedelta(minutes=101)


def test_commands_show_what_is_kept(engine: Engine, session: Session, settings: Settings) -> None:
    kept(engine, settings, result(failing="runs"))
    shown = CliRunner().invoke(group, ["show", "runs"])
    assert shown.exit_code == 0 and "FAILED runs-rule" in shown.output
    listed = CliRunner().invoke(group, ["history"]).output
    assert "live" in listed and "2 checks, 1 failed  runs-rule" in listed
    assert CliRunner().invoke(group, ["show", "people"]).exit_code == 1
