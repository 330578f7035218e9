"""Everything that is stored outside of PostgreSQL: what covers it or why nothing has to, and where copies go.

A test reads the code and fails where it stores something in a bucket or a folder that is not listed here.
"""

from dataclasses import dataclass
from typing import Any

from leitstand.errors import InvalidInput, PreconditionFailed
from leitstand.settings import Settings
from leitstand.storage.objects import ObjectStorage
from leitstand.words import msg


@dataclass(frozen=True)
class Place:
    """One bucket of an environment.

    Args:
        role: what inventories and commands call it, whatever the bucket's own name is.
        setting: that names the bucket.
        copied: whether every object in it is copied.
        why: what is in it, or why it needs no copy.
    """

    role: str
    setting: str
    copied: bool
    why: str

    def bucket(self, settings: Settings) -> str:
        """The bucket's own name."""
        return str(getattr(settings, self.setting))


PLACES = (
    Place("media", "bucket_media", True, "documents and media"),
    Place("evidence", "bucket_evidence", True, "executed drills and runbooks, reports"),
    Place("insights", "bucket_insights", False, "columnar copies of facts, made again from PostgreSQL"),
    Place("backups", "bucket_backups", False, "the backups themselves"),
    Place("copies", "bucket_copies", False, "the copies themselves"),
)
# Under <data_dir>: what keeps each, or why it needs nothing.
FOLDERS = {
    "postgres": "backup of postgres",
    "objects": "backup of objects",
    "secrets": "backup of secrets",
    "keys": "recipients: backup of secrets; private keys: kept off this machine",
    "archive": "settings of the log's archiver, written at each start",
    "caddy": "certificates, made or fetched again",
    "evidence": "evidence of runs that the catalogue does not have yet, and journals of runs that are not finished",
    "inbox": "event files that wait minutes for their import; what is imported is in PostgreSQL",
    "insights": "local parts of columnar copies, made again from PostgreSQL",
    "lab": "copies of notebooks to read and try; what matters is run as a runbook, whose evidence is kept",
    "logs": "logs, kept for a while",
    "pgbackrest": "configuration of pgBackRest, written anew whenever it is needed, and its locks",
    "pids": "written at each start",
    "prefect": "schedules are in the repository and what was done is in PostgreSQL",
    "reserve": "an empty file, given up when the disk is full so that a runbook can run",
    "rotation": "journal of a rotation of secrets that is not finished",
    "scratch": "restores that are tried out",
    "secret-copies": "the second place of the backups of secrets, where no other is set",
    "tmp": "work that is done again",
    "environment.json": "written at each start",
    "events": "local parts of the archive of events, fetched again from the bucket of media",
    "supervisor.conf": "written at each start",
    "supervisor.sock": "made at each start",
    "up.lock": "a lock",
}
# Under <data_dir>/evidence: a folder for each run until the catalogue has it; its record is written when the run has ended.
PENDING, RECORD = "pending", "record.json"
COPIED = tuple(place for place in PLACES if place.copied)


def copied_place(role: str) -> Place:
    """The place called `role`.

    Raises:
        InvalidInput: there is none whose objects are copied.
    """
    for place in COPIED:
        if place.role == role:
            return place
    raise InvalidInput(
        msg("There are no copies of {role!r}.", role=role),
        hint=msg("Known: {names}.", names=", ".join(place.role for place in COPIED)),
    )


@dataclass(frozen=True)
class Copies:
    """Where copies of objects and their inventories lie.

    Args:
        elsewhere: it is a second store, not that of the objects themselves.
    """

    storage: ObjectStorage
    bucket: str
    elsewhere: bool


def own_copies(settings: Settings) -> Copies:
    """The bucket of backups in the store of the objects."""
    return Copies(ObjectStorage(settings), settings.bucket_backups, False)


def copies_of(settings: Settings) -> Copies:
    """Where objects are copied to now: the second store where one is set, else the bucket of backups.

    Raises:
        PreconditionFailed: a second store is set, without credentials.
    """
    if not settings.copies_s3_endpoint:
        return own_copies(settings)
    if not (
        settings.copies_s3_access_key.get_secret_value() and settings.copies_s3_secret_key.get_secret_value()
    ):
        raise PreconditionFailed(
            "The second store for copies of objects has no credentials.",
            hint="Set LEITSTAND_COPIES_S3_ACCESS_KEY and LEITSTAND_COPIES_S3_SECRET_KEY.",
        )
    second = settings.model_copy(
        update={
            "s3_endpoint": settings.copies_s3_endpoint,
            "s3_region": settings.copies_s3_region,
            "s3_ca_file": "",
            "s3_access_key": settings.copies_s3_access_key,
            "s3_secret_key": settings.copies_s3_secret_key,
        }
    )
    return Copies(ObjectStorage(second), settings.bucket_copies, True)


def copies_for(settings: Settings, manifest: dict[str, Any]) -> Copies:
    """Where the copies of this backup lie: it may have been taken before a second store was set.

    Raises:
        PreconditionFailed: they lie in a second store, and none is set.
    """
    if not manifest.get("elsewhere", False):
        return own_copies(settings)
    now = copies_of(settings)
    if not now.elsewhere:
        raise PreconditionFailed(
            msg("The copies of backup {id} lie in a second store, and none is set.", id=manifest["id"]),
            hint="Set LEITSTAND_COPIES_S3_ENDPOINT and its credentials.",
        )
    return now
