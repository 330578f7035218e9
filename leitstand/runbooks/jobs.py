"""Jobs of this area."""

from leitstand.jobs.registry import job


@job("operations.drill", attempts=2, lock="operations", first_wait=60)
def drill(*, name: str) -> None:
    """Rehearse the restore called `name`; a rehearsal that proves nothing is a failed job."""
    from leitstand.db.engine import get_engine
    from leitstand.errors import IntegrityFailed
    from leitstand.runbooks.drills import run_drill
    from leitstand.settings import get_settings

    result = run_drill(get_engine(), get_settings(), name)
    if not result.ok:
        raise IntegrityFailed(
            f"The drill {name} failed.", hint="Its notebook, archived with the drill, shows at which step."
        )
