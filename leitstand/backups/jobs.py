"""Jobs of this area."""

from leitstand.jobs.registry import job

# One at a time with the drills: both read or write whole databases.
OPERATIONS_LOCK = "operations"


@job("operations.backup", attempts=3, lock=OPERATIONS_LOCK, first_wait=30)
def backup(*, kind: str) -> None:
    """Make one backup of `kind` (postgres, objects, secrets or dump)."""
    from leitstand.backups.operations import run_backup
    from leitstand.db.engine import get_engine
    from leitstand.settings import get_settings

    run_backup(get_engine(), get_settings(), kind)


@job("operations.verify", attempts=2, lock=OPERATIONS_LOCK, first_wait=30)
def verify(*, backup_id: str) -> None:
    """Check one backup against what was stored."""
    from leitstand.backups.verification import verify_backup
    from leitstand.db.engine import get_engine
    from leitstand.settings import get_settings

    verify_backup(get_engine(), get_settings(), backup_id)


@job("operations.prune", attempts=3, lock=OPERATIONS_LOCK, first_wait=30)
def prune(*, plan: str, requested_by: str) -> None:
    """Carry out a plan of retention that a person has confirmed; what a killed attempt began is finished by the next."""
    from leitstand.backups.pruning import prune as carry_out
    from leitstand.db.engine import get_engine
    from leitstand.settings import get_settings

    carry_out(get_engine(), get_settings(), confirmed=plan, requested_by=requested_by)
