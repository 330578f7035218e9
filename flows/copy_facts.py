"""Bring the columnar copies of the facts up to date."""

from typing import Any

from prefect import flow, task

from flows.execution import once, say, worth_retrying
from leitstand.db.engine import get_engine
from leitstand.errors import Conflict
from leitstand.settings import get_settings


@task(name="copy-facts", retries=2, retry_delay_seconds=[10, 30], retry_condition_fn=worth_retrying)
def copy_all() -> list[dict[str, Any]]:
    """Copy what came to rest of every workspace's facts."""
    from dataclasses import asdict

    from leitstand.insights.copy.copier import copy_facts

    try:
        copied = copy_facts(get_engine(), get_settings(), settled=True)
    except Conflict as error:
        say(f"{error.message} It does the work of this run too.")
        return []
    for done in copied:
        say(f"{done.workspace}: {done.written} parts, {done.rows:,} rows, {done.bytes:,} bytes")
    return [asdict(done) for done in copied]


@flow(name="copy-facts")
def copy_facts_of_all() -> Any:
    """Bring the copies up to date, from which wide ranges are answered."""
    return once("copy-facts", copy_all)
