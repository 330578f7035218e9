"""Have the imports from buckets run whose hour or day has come."""

from typing import Any

from prefect import flow, task

from flows.execution import once, say, worth_retrying
from leitstand.db.engine import get_engine, transaction


@task(name="start-due-imports", retries=3, retry_delay_seconds=60, retry_condition_fn=worth_retrying)
def start_due_imports() -> list[str]:
    """Queue a run of each; the queue worker does it."""
    from leitstand.imports.runs import start_due

    with transaction(get_engine()) as session:
        started = start_due(session)
    say(f"queued: {', '.join(started)}" if started else "no import is due")
    return started


@flow(name="import-buckets")
def import_buckets() -> Any:
    """Queue the imports that are due."""
    return once("import-buckets", start_due_imports)
