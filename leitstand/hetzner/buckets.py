"""Buckets of object storage: made with what can't be added later, and never changed to hold less."""

from leitstand.errors import IntegrityFailed, NotFound, PreconditionFailed
from leitstand.hetzner.description import Bucket, Environment
from leitstand.hetzner.keys import needed
from leitstand.hetzner.parts import Change, Look
from leitstand.settings import Settings
from leitstand.storage.objects import ObjectStorage
from leitstand.words import msg


class BucketPart:
    """One bucket. It holds data, so it is never deleted, and its versions are never switched off."""

    kind, title, data = "buckets", "bucket", True

    def __init__(self, storage: ObjectStorage, environment: Environment, bucket: Bucket) -> None:
        self.storage, self.environment, self.bucket, self.name = storage, environment, bucket, bucket.name

    def look(self) -> Look:
        """How it stands now."""
        try:
            versioned = self.storage.is_versioned(self.name)
        except NotFound:
            return Look(False)
        except PreconditionFailed as error:
            # Names of buckets are everybody's: it may be another customer's.
            return Look(True, refusals=[error.message])
        look = Look(True)
        if self.bucket.lockable and not self.storage.locks_objects(self.name):
            look.refusals.append(
                msg(
                    "its objects can't be locked, which only a new bucket can be given; describe one under a new name"
                )
            )
        if self.bucket.versioned and not versioned:
            look.changes.append(Change(msg("keeps every version from now on"), self._keep_versions))
        if versioned and not (self.bucket.versioned or self.bucket.lockable):
            look.notes.append(msg("it keeps versions, and goes on keeping them"))
        return look

    def _keep_versions(self) -> None:
        self.storage.ensure_bucket(self.name, versioned=True)

    def make(self) -> None:
        """Make it as described.

        Raises:
            IntegrityFailed: the store said yes and gave none of it.
        """
        versioned = self.bucket.versioned or self.bucket.lockable
        self.storage.ensure_bucket(self.name, versioned=versioned, lockable=self.bucket.lockable)
        if self.bucket.lockable and not self.storage.locks_objects(self.name):
            raise IntegrityFailed(
                msg("The store made {name} without object lock.", name=self.name),
                hint="Delete the empty bucket, and make it where the store locks objects.",
            )


def storage_of(settings: Settings, environment: Environment) -> ObjectStorage:
    """The object storage of an environment's project, in its location.

    Raises:
        PreconditionFailed: there are no keys for it.
    """
    own = {
        "s3_endpoint": settings.hetzner_s3_endpoint
        or f"https://{environment.location}.your-objectstorage.com",
        "s3_region": environment.location,
        "s3_access_key": needed(settings, "s3_access_key", environment.name),
        "s3_secret_key": needed(settings, "s3_secret_key", environment.name),
    }
    return ObjectStorage(settings.model_copy(update=own))
