"""What nobody comes back for: uploads that have expired, and parts that only the store knows of."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine, delete, select

from leitstand.db.engine import transaction
from leitstand.db.models import Upload
from leitstand.knowledge.ingest import forget
from leitstand.knowledge.uploads import LONGEST, drop
from leitstand.storage.objects import ObjectStorage
from leitstand.storage.parts import Parts

# For so long an upload that has ended answers whoever asks what became of it.
KEPT = timedelta(days=7)
AT_ONCE = 500


def remove_abandoned(engine: Engine, storage: ObjectStorage, *, now: datetime | None = None) -> int:
    """Remove uploads that have expired, and forget those that ended a week ago; how many had expired.

    Raises:
        Unavailable: the object store does not answer; what the rows tell is done all the same.
    """
    now, removed = now or datetime.now(UTC), 0
    while found := _expired(engine, now):
        removed += found
    with transaction(engine) as session:
        session.execute(delete(Upload).where(Upload.status != "open", Upload.updated_at < now - KEPT))
    # What a killed request began in the store and never wrote down.
    storage.abort_stale_uploads(
        storage.settings.bucket_media, "documents/", older_than=LONGEST + timedelta(days=1)
    )
    return removed


def abandon(storage: ObjectStorage, *, key: str, store_id: str) -> None:
    """Free what the store has of an upload: its parts, and the object where they were joined and it was left there."""
    Parts(storage, storage.settings.bucket_media, key, store_id).abort()
    forget(storage, key=key)


def _expired(engine: Engine, now: datetime) -> int:
    with transaction(engine) as session:
        query = select(Upload).where(Upload.status == "open", Upload.expires_at <= now).limit(AT_ONCE)
        found = session.scalars(query.with_for_update(skip_locked=True)).all()
        for upload in found:
            drop(session, upload)
        return len(found)
