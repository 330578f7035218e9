"""One run of an import: the bucket is listed, then each object that is new or has changed is taken, one at a time.

No transaction is open while the bucket answers. What was taken is a row before the next object is asked for, so a run
that is killed goes on behind it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import Engine, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from leitstand.db.engine import transaction
from leitstand.db.models import S3Import, S3ImportObject
from leitstand.db.models.base import new_id
from leitstand.errors import InvalidInput, LeitstandError, NotFound, Unavailable
from leitstand.imports.bucket import bucket_of
from leitstand.imports.configured import worker_of
from leitstand.knowledge.documents import MAX_BYTES, add_document, delete_document
from leitstand.storage.foreign import ForeignBucket
from leitstand.storage.objects import ObjectStorage
from leitstand.storage.types import ObjectInfo
from leitstand.telemetry.logs import get_logger
from leitstand.words import N_, msg

MOST_OBJECTS = 100_000
MOST_SILENT = 3
LONGEST_TITLE = 200
log = get_logger("imports")


@dataclass(frozen=True)
class _Next:
    id: UUID
    key: str
    etag: str
    bytes: int


def run(engine: Engine, storage: ObjectStorage, *, import_id: UUID) -> str:
    """Take what is new; gives what stopped the run, empty when nothing did. An import that is gone is no error."""
    with transaction(engine) as session:
        found = session.get(S3Import, import_id, with_for_update=True)
        if found is None:
            return ""
        found.run_state, found.run_problem, found.ended_at = "running", "", None
        found.started_at = found.progressed_at = datetime.now(UTC)
        session.flush()
        session.expunge(found)
    problem: str = N_("It stopped for a reason that we did not foresee.")
    try:
        problem = _work(engine, storage, found)
    finally:
        with transaction(engine) as session:
            ended = session.get(S3Import, import_id, with_for_update=True)
            if ended is not None:
                ended.run_state, ended.run_problem, ended.ended_at = "idle", problem, datetime.now(UTC)
    log.info("bucket taken", s3_import=str(import_id), problem=problem)
    return problem


def _work(engine: Engine, storage: ObjectStorage, found: S3Import) -> str:
    try:
        bucket = bucket_of(found)
        _list(engine, bucket, found)
        _take_all(engine, storage, bucket, found)
    except LeitstandError as error:
        return error.said
    return ""


def _list(engine: Engine, bucket: ForeignBucket, found: S3Import) -> None:
    seen = 0
    for page in bucket.objects():
        with transaction(engine) as session:
            if not _moved(session, found.id):
                return
            _note(session, found, page)
        seen += len(page)
        if seen >= MOST_OBJECTS:
            raise InvalidInput(
                msg("There are over {most_objects:,} objects below this prefix.", most_objects=MOST_OBJECTS),
                hint="Enter a longer prefix, and make several imports.",
            )


def _note(session: Session, found: S3Import, page: Sequence[ObjectInfo]) -> None:
    """Keep what a page of the listing shows; what is known with the same ETag stays as it is."""
    rows = [
        {"id": new_id(), "workspace_id": found.workspace_id, "import_id": found.id, "key": one.key,
         "etag": one.etag, "bytes": one.bytes}
        for one in page
        # Some tools keep an empty object for each folder.
        if not (one.key.endswith("/") and one.bytes == 0) and "\x00" not in one.key
    ]  # fmt: skip
    if not rows:
        return
    statement = insert(S3ImportObject)
    new = statement.excluded
    statement = statement.on_conflict_do_update(
        index_elements=["import_id", "key"],
        set_={
            "etag": new.etag,
            "bytes": new.bytes,
            "status": "waiting",
            "reason": "",
            "updated_at": func.now(),
        },
        where=S3ImportObject.etag != new.etag,
    )
    session.execute(statement, rows)


def _take_all(engine: Engine, storage: ObjectStorage, bucket: ForeignBucket, found: S3Import) -> None:
    after, silent = "", 0
    while one := _following(engine, found, after):
        after = one.key
        try:
            _take(engine, storage, bucket, found, one)
            silent = 0
        except Unavailable as error:
            # Not the object's fault: the next run tries it again.
            _say(engine, one, "waiting", error)
            silent += 1
            if silent == MOST_SILENT:
                raise
        except LeitstandError as error:
            _say(engine, one, "failed", error)
            silent = 0


def _following(engine: Engine, found: S3Import, after: str) -> _Next | None:
    """The next object that waits; none where the import was removed or changed its bucket meanwhile."""
    with transaction(engine) as session:
        if not _moved(session, found.id):
            return None
        query = select(S3ImportObject).where(
            S3ImportObject.workspace_id == found.workspace_id,
            S3ImportObject.import_id == found.id,
            S3ImportObject.status == "waiting",
            S3ImportObject.key > after,
        )
        one = session.scalar(query.order_by(S3ImportObject.key).limit(1))
        return _Next(one.id, one.key, one.etag, one.bytes) if one else None


def _moved(session: Session, import_id: UUID) -> bool:
    """Note that the run goes on; False where the import is gone."""
    found = session.get(S3Import, import_id, with_for_update=True)
    if found is not None:
        found.progressed_at = datetime.now(UTC)
    return found is not None


def _take(engine: Engine, storage: ObjectStorage, bucket: ForeignBucket, found: S3Import, one: _Next) -> None:
    if not 0 < one.bytes <= MAX_BYTES:
        size = one.bytes / 1e6
        raise InvalidInput(
            msg("It is {size:.1f} MB large.", size=size) if one.bytes else "It is empty.",
            hint="A document has 1 byte to 20 MB.",
        )
    data = bucket.read(one.key, etag=one.etag)
    with transaction(engine) as session:
        row = _held(session, one)
        if row is not None:
            _enter(session, storage, found, row, data)


def _enter(
    session: Session, storage: ObjectStorage, found: S3Import, row: S3ImportObject, data: bytes
) -> None:
    """Make a document of an object; the one that it was before goes into the trash."""
    now = session.get(S3Import, found.id)
    if now is None or now.space_id is None:
        raise NotFound("The space of this import is gone.", hint="Choose another one.")
    worker, earlier = worker_of(found.workspace_id), row.document_id if row.added else None
    title = _title(row.key, found.prefix)
    added = add_document(session, storage, principal=worker, space_id=now.space_id, title=title, data=data)
    document = added.document
    if earlier == document.id:
        row.status, row.reason, row.updated_at = "taken", "", datetime.now(UTC)
        return
    row.status = "duplicate" if added.duplicate else "taken"
    row.document_id, row.added = document.id, not added.duplicate
    row.reason, row.updated_at = "", datetime.now(UTC)
    session.flush()
    if earlier is not None and not _stands_for_others(session, found, earlier):
        try:
            delete_document(session, principal=worker, document_id=earlier)
        except NotFound:
            return  # somebody deleted it


def _title(key: str, prefix: str) -> str:
    """What is behind the prefix, its end where it is long: that has the file's name and its suffix."""
    shown = key[len(prefix) :] if key.startswith(prefix) and len(key) > len(prefix) else key
    return shown.strip("/")[-LONGEST_TITLE:] or key[-LONGEST_TITLE:]


def _stands_for_others(session: Session, found: S3Import, document_id: UUID) -> bool:
    query = select(S3ImportObject.id).where(
        S3ImportObject.workspace_id == found.workspace_id, S3ImportObject.document_id == document_id
    )
    return session.scalar(query.limit(1)) is not None


def _held(session: Session, one: _Next) -> S3ImportObject | None:
    """The object's row, unless somebody has taken it or seen it change meanwhile."""
    row = session.get(S3ImportObject, one.id, with_for_update=True)
    return row if row is not None and row.status == "waiting" and row.etag == one.etag else None


def _say(engine: Engine, one: _Next, status: str, error: LeitstandError) -> None:
    with transaction(engine) as session:
        row = _held(session, one)
        if row is not None:
            row.status, row.updated_at = status, datetime.now(UTC)
            row.reason = error.said
