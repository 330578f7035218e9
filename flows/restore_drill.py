"""Rehearse a restore: a backup that has not been restored is not yet a backup."""

from typing import Any

from prefect import flow, task

from flows.execution import once, say
from leitstand.db.engine import get_engine
from leitstand.errors import IntegrityFailed
from leitstand.settings import get_settings


@task(name="run-drill")
def run_drill_of(name: str) -> dict[str, Any]:
    """Run the drill; one that proves nothing fails the task. Not tried again: a failed restore is the finding."""
    from leitstand.runbooks.drills import run_drill

    result = run_drill(get_engine(), get_settings(), name)
    say(
        f"Drill {result.drill_id}: ok={result.ok}, RPO {result.rpo_seconds} s, RTO {result.rto_seconds} s, notebook {result.notebook}"
    )
    if not result.ok:
        raise IntegrityFailed(
            f"The drill {name} failed.", hint="Its notebook, archived with the drill, shows at which step."
        )
    return dict(result.to_dict())


@flow(name="restore-drill")
def rehearse(name: str = "postgres-latest") -> Any:
    """Restore a backup into a scratch server, check it, and archive the evidence."""
    return once("restore-drill", lambda: run_drill_of(name))
