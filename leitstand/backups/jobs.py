"""Jobs of this area."""

from leitstand.jobs.registry import job

# One at a time with the drills: both read or write whole databases.
OPERATIONS_LOCK = "operations"


@job("operations.backup", attempts=3, lock=OPERATIONS_LOCK, first_wait=30)
def backup(*, kind: str) -> None:
    """Make one backup of `kind` (postgres, objects or secrets)."""
    from leitstand.backups.operations import run_backup
    from leitstand.db.engine import get_engine
    from leitstand.settings import get_settings

    run_backup(get_engine(), get_settings(), kind)
