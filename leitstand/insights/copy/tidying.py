"""Objects of copies that nobody can be reading any more, and changes of workspaces that have no copy (or are gone)."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine, delete, select, text

from leitstand.db.engine import transaction
from leitstand.db.models import FactPart
from leitstand.insights.copy.parts import PREFIX
from leitstand.storage.objects import ObjectStorage

# A reader that has a part's name fetches it within seconds.
GRACE = timedelta(hours=1)
FORGET = text("""
DELETE FROM fact_change AS c WHERE NOT EXISTS (SELECT FROM fact_copy AS f WHERE f.workspace_id = c.workspace_id)
""")


def look(storage: ObjectStorage) -> set[str]:
    """The keys that are in the store; the bucket is made when it is missing."""
    bucket = storage.settings.bucket_insights
    storage.ensure_bucket(bucket, versioned=False)
    return {found.key for found in storage.list(bucket, PREFIX)}


def tidy(engine: Engine, storage: ObjectStorage, *, grace: timedelta = GRACE) -> int:
    """Remove the objects that no copy has had for the time of `grace`; how many. For who holds the copier's lock."""
    before = datetime.now(UTC) - grace
    with transaction(engine) as session:
        session.execute(FORGET)
        known = dict(session.execute(select(FactPart.key, FactPart.replaced_at)).tuples().all())
    bucket, removed = storage.settings.bucket_insights, 0
    for found in storage.list(bucket, PREFIX):
        since = known.get(found.key, found.modified)
        if since is not None and since < before:
            storage.delete(bucket, found.key)
            removed += 1
    with transaction(engine) as session:
        session.execute(delete(FactPart).where(FactPart.replaced_at < before))
    return removed
