"""leitstand events archive: says what it would do, asks, does it, and does it again without harm."""

import json
from collections.abc import Callable
from uuid import UUID

import pytest
from click.testing import CliRunner
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from flows import archive_events
from leitstand.checks.metrics import ChecksCollector
from leitstand.cli.events import group
from leitstand.db.models import CheckRun, Workspace
from leitstand.errors import InvalidInput, NotFound
from leitstand.events.archive.metrics import ArchiveCollector
from leitstand.settings import Settings
from tests.integration.events.archiving import NEW, OLD, made
from tests.integration.events.support import count

Send = Callable[..., list[str]]


@pytest.fixture(autouse=True)
def old(session: Session, companion: UUID, send: Send) -> None:
    """Events of two old months that came in long ago."""
    send(made(companion, OLD), made(companion, OLD, step="done"), made(companion, NEW))
    session.execute(text("UPDATE event SET received_at = occurred_at"))
    session.commit()


def run(*arguments: str, typed: str = "", code: int = 0) -> str:
    """What the command prints, without what it logs."""
    done = CliRunner().invoke(group, ["archive", *arguments], input=typed, catch_exceptions=False)
    assert done.exit_code == code, done.output
    return "\n".join(line for line in done.stdout.splitlines() if "[info" not in line)


def test_the_plan_is_shown_and_nothing_done_until_the_name_is_typed(
    engine: Engine, settings: Settings, workspace: Workspace
) -> None:
    shown = run("run", "--dry-run")
    assert "2023-01" in shown and "is due" in shown
    for given in (["--yes", "other"], []):
        with pytest.raises(InvalidInput, match="nothing was done"):
            CliRunner().invoke(
                group, ["archive", "run", *given], input="no\n", catch_exceptions=False, standalone_mode=False
            )
    assert count(engine, "event", workspace.id) == 3
    run("run", typed=f"{settings.environment}\n")
    assert count(engine, "event", workspace.id) == 0
    assert "No month is older" in run("run")


def test_it_is_listed_checked_and_brought_back(
    engine: Engine, session: Session, settings: Settings, workspace: Workspace
) -> None:
    moved = json.loads(run("run", "--yes", settings.environment, "--json"))["moved"]
    assert [(it["month"], it["events"]) for it in moved] == [("2023-01", 2), ("2023-02", 1)]
    listed = json.loads(run("list", "--workspace", "demo", "--json"))["objects"]
    assert [(it["workspace"], it["month"], it["rows"]) for it in listed] == [
        ("demo", "2023-01", 2), ("demo", "2023-02", 1),
    ]  # fmt: skip
    assert json.loads(run("check", "--json"))["success"]
    assert "2023-01" in run("restore", "2023-01", "--dry-run")
    assert count(engine, "event", workspace.id) == 0
    run("restore", "2023-01", "--yes", "2023-01")
    assert count(engine, "event", workspace.id) == 2
    assert "brought back" in run("list")
    with pytest.raises(NotFound):
        CliRunner().invoke(
            group,
            ["archive", "restore", "2023-01", "--dry-run"],
            catch_exceptions=False,
            standalone_mode=False,
        )


def test_the_check_names_a_run_that_the_archive_contradicts(session: Session, settings: Settings) -> None:
    run("run", "--yes", settings.environment)
    session.execute(text("UPDATE run_fact SET events = events + 1"))
    session.execute(text("DELETE FROM actor_bucket WHERE bucket >= '2023-02-01Z'"))
    session.commit()
    found = {line["name"]: line for line in json.loads(run("check", "--json", code=1))["results"]}
    assert [line["unexpected"] for line in found.values()] == [1, 1]
    assert found["archived-runs-equal-events"]["examples"][0]["run_key"] == "r"
    assert [(it.suite, it.success) for it in session.query(CheckRun)] == [("event-archive", False)]


def figures(engine: Engine) -> dict[str, float]:
    return {
        sample.name: sample.value
        for collector in (ArchiveCollector(engine), ChecksCollector(engine))
        for family in collector.collect()
        for sample in family.samples
        if "archive" in sample.name or "overdue" in sample.name
    }


def test_the_flow_archives_and_checks_and_metrics_say_what_is_due(
    engine: Engine, workspace: Workspace
) -> None:
    assert figures(engine)["leitstand_events_overdue_months"] == 2
    assert [it["events"] for it in archive_events.archive_months.fn()] == [2, 1]
    assert count(engine, "event", workspace.id) == 0
    assert archive_events.check_archived.fn()["success"]
    found = figures(engine)
    assert (found["leitstand_events_overdue_months"], found["leitstand_events_archived"]) == (0, 3)
    assert found["leitstand_events_archive_bytes"] > 1000
    assert found["leitstand_events_archive_differing_facts"] == 0
    run("restore", "2023-01", "--yes", "2023-01")
    assert figures(engine)["leitstand_events_overdue_months"] == 0
