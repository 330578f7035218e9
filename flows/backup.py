"""Back up one kind of data; verify what no drill restores; carry out retention."""

from typing import Any, Literal

from prefect import flow, task

from flows.execution import once, say, worth_retrying
from leitstand.db.engine import get_engine
from leitstand.settings import get_settings

Kind = Literal["postgres", "objects", "secrets", "dump"]


@task(name="run-backup", retries=2, retry_delay_seconds=[30, 120], retry_condition_fn=worth_retrying)
def run_backup_of(kind: Kind) -> dict[str, Any]:
    """Make the backup and give what the catalogue says of it."""
    from leitstand.backups.operations import run_backup

    backup = run_backup(get_engine(), get_settings(), kind)
    say(f"Backup {backup.id} of {kind}: {backup.bytes:,} bytes at {backup.location}")
    return {
        "id": str(backup.id),
        "kind": kind,
        "bytes": backup.bytes,
        "location": backup.location,
        "sha256": backup.sha256,
    }


@task(name="back-up-secrets", retries=2, retry_delay_seconds=[30, 120], retry_condition_fn=worth_retrying)
def back_up_secrets_if(only_changed: bool) -> dict[str, Any]:
    """Make the backup of the secrets in both places, unless nothing has changed and that is enough."""
    from leitstand.backups.secret_backups import back_up_secrets

    backup = back_up_secrets(get_engine(), get_settings(), only_changed=only_changed)
    say(
        f"Backup {backup.id} of {len(backup.manifest['inventory'])} secrets"
        if backup
        else "Nothing has changed"
    )
    return {
        "id": str(backup.id) if backup else None,
        "copy": backup.manifest["copy"]["path"] if backup else None,
    }


@flow(name="backup-secrets")
def back_up_all_secrets(only_changed: bool = False) -> Any:
    """Back up the secrets into two places."""
    return once("backup-secrets", lambda: back_up_secrets_if(only_changed))


@flow(name="backup")
def back_up(kind: Kind = "postgres") -> Any:
    """Back up the database, the objects or the secrets."""
    return once("backup", lambda: run_backup_of(kind))


@flow(name="dump-database")
def dump_database() -> Any:
    """Dump the database, and have pg_restore read all of the dump."""
    return once("dump-database", lambda: [run_backup_of("dump"), verify_newest("dump")])


@task(name="prune-backups", retries=2, retry_delay_seconds=[300, 900], retry_condition_fn=worth_retrying)
def prune_once() -> dict[str, Any]:
    """Remove what retention does not keep; a plan that only a person may carry out fails the task and says so."""
    from leitstand.backups.pruning import prune

    result = prune(get_engine(), get_settings(), requested_by="")
    say(f"{len(result.removed)} backups and {result.log_removed} files of the log removed")
    for removal in result.left:
        say(f"{removal.id} stays: {removal.left}")
    return result.to_dict()


@flow(name="prune-backups")
def prune_backups() -> Any:
    """Carry out retention, after the nightly backup and its drill."""
    return once("prune-backups", prune_once)


@task(name="verify-backup")
def verify_newest(kind: Kind) -> str:
    """Check the newest backup of a kind against what was stored; a damaged one fails the task."""
    from leitstand.backups.catalogue import newest_complete
    from leitstand.backups.verification import verify_backup
    from leitstand.db.engine import transaction

    with transaction(get_engine()) as session:
        newest = newest_complete(session, kind)
    if newest is None:
        say(f"There is no backup of {kind} yet.")
        return ""
    verify_backup(get_engine(), get_settings(), newest.id)
    say(f"Backup {newest.id} of {kind} is what was stored.")
    return str(newest.id)


@flow(name="verify-backups")
def verify_backups() -> Any:
    """Verify what no drill restores: without a proof, retention removes nothing of a kind."""
    return once("verify-backups", lambda: [verify_newest("objects"), verify_newest("secrets")])
