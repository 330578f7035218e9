"""Jobs of this area."""

from leitstand.jobs.registry import job
from leitstand.words import msg

# Evidence that waited is taken up under the same lock every few minutes, which takes seconds; who pressed a button on
# the worst day is not told to press it again.
PATIENCE_SECONDS = 120.0


@job("operations.drill", attempts=2, lock="operations", first_wait=60)
def drill(*, name: str, requested_by: str = "") -> None:
    """Rehearse the restore called `name`; a rehearsal that proves nothing is a failed job."""
    from leitstand.db.engine import get_engine
    from leitstand.errors import IntegrityFailed
    from leitstand.runbooks.drills import run_drill
    from leitstand.settings import get_settings

    result = run_drill(get_engine(), get_settings(), name, requested_by=requested_by)
    if not result.ok:
        raise IntegrityFailed(
            msg("The drill {name} failed.", name=name),
            hint="Its notebook, archived with the drill, shows at which step.",
        )


@job("operations.runbook", attempts=1, lock="operations")
def runbook(
    *,
    run_id: str,
    name: str,
    parameters: dict[str, object],
    typed: str,
    requested_by: str,
    resumed_from: str = "",
) -> None:
    """Run a runbook that a person started, once: taken again after a kill it does nothing, for a person resumes it."""
    from uuid import UUID

    from leitstand.db.engine import get_engine, transaction
    from leitstand.errors import IntegrityFailed
    from leitstand.runbooks import actions, drills, records, resuming
    from leitstand.settings import get_settings

    engine, settings, own = get_engine(), get_settings(), UUID(run_id)
    with transaction(engine) as session:
        if not actions.may_begin(session, own):
            return
    try:
        if resumed_from:
            result = resuming.resume_runbook(
                engine,
                settings,
                resumed_from,
                confirmed=typed,
                requested_by=requested_by,
                new_id=own,
                patience=PATIENCE_SECONDS,
            )
        else:
            result = drills.run_runbook(
                engine,
                settings,
                name,
                parameters,
                confirmed=typed,
                requested_by=requested_by,
                run_id=own,
                patience=PATIENCE_SECONDS,
            )
    except Exception as error:
        with transaction(engine) as session:
            records.refuse(session, own, reason=getattr(error, "message", type(error).__name__))
        raise
    if not result.ok:
        raise IntegrityFailed(
            msg("The runbook {name} failed.", name=name),
            hint="Its page shows at which step; there it can be resumed.",
        )
