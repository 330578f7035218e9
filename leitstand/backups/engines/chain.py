"""What an increment builds on: found in the catalogue beside the backups, without a database."""

from leitstand.backups import entries
from leitstand.backups.catalogue import COMPLETE
from leitstand.backups.engines.interface import FULL, Manifest
from leitstand.errors import IntegrityFailed, NotFound
from leitstand.storage.objects import ObjectStorage
from leitstand.words import N_, msg

HINT = N_("Restore another: `leitstand backup list` shows them, `--to-backup ID` chooses one.")


def level_of(manifest: Manifest) -> str:
    """full, differential or incremental; backups of the first versions were all full."""
    return str(manifest.get("level", FULL))


def chain_of(storage: ObjectStorage, bucket: str, manifest: Manifest) -> list[Manifest]:
    """A backup with all that it is an increment of, the full one first.

    Raises:
        IntegrityFailed: one of them is gone, or being removed.
    """
    chain = [manifest]
    while parent := chain[0].get("parent_id"):
        chain.insert(0, _parent(storage, bucket, chain[0], str(parent)))
        if str(parent) in {str(one["id"]) for one in chain[1:]}:
            raise IntegrityFailed(msg("Backup {parent} is an increment of itself.", parent=parent), hint=HINT)
    return chain


def _parent(storage: ObjectStorage, bucket: str, child: Manifest, parent: str) -> Manifest:
    try:
        found = entries.read(storage, bucket, "postgres", parent)
    except NotFound:
        found = {"status": "gone"}
    if found["status"] != COMPLETE:
        raise IntegrityFailed(
            msg(
                "Backup {id} is an increment of {parent}, which is {status}.",
                id=child["id"],
                parent=parent,
                status=found["status"],
            ),
            hint=HINT,
        )
    return found
