"""Archive old months of events, and compare the facts with all that is archived."""

from typing import Any

from prefect import flow, task

from flows.execution import once, say, worth_retrying
from leitstand.db.engine import make_engine
from leitstand.errors import IntegrityFailed
from leitstand.settings import get_settings


@task(
    name="archive-months", retries=3, retry_delay_seconds=[60, 600, 3600], retry_condition_fn=worth_retrying
)
def archive_months() -> list[dict[str, Any]]:
    """Archive the months that are due; what a killed run began is done again."""
    from leitstand.events.archive.moving import archive

    engine = make_engine(get_settings(), statement_timeout_ms=0, application="leitstand-archive")
    try:
        return [moved.to_dict() for moved in archive(engine, get_settings(), tell=say)]
    finally:
        engine.dispose()


@task(name="check-archive", retries=1, retry_delay_seconds=600, retry_condition_fn=worth_retrying)
def check_archived() -> dict[str, Any]:
    """Compare the facts with all events, those of the table and those of the archive."""
    from leitstand.checks.event_archive import check_archive

    engine = make_engine(get_settings(), statement_timeout_ms=0, application="leitstand-archive")
    try:
        result = check_archive(engine)
    finally:
        engine.dispose()
    say(f"{result.evaluated} checks of the archive, {result.failed} failed")
    return result.to_dict()


@flow(name="archive-events")
def archive_events() -> Any:
    """Archive what is due, then check what is archived; facts that differ fail the flow."""

    def work() -> dict[str, Any]:
        moved, checked = archive_months(), check_archived()
        if not checked["success"]:
            named = ", ".join(line["name"] for line in checked["results"] if not line["success"])
            raise IntegrityFailed(
                f"Data checks failed: {named}.", hint="`leitstand events archive check` shows which runs."
            )
        return {"moved": moved, "checked": checked}

    return once("archive-events", work)
