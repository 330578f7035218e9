"""The record of a run: the executed notebook, its HTML and what it found, without secrets, in the bucket of evidence."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from leitstand.backups.places import RECORD
from leitstand.errors import IntegrityFailed, NotFound
from leitstand.runbooks import documents, pending, records
from leitstand.runbooks.chain import RUN, Link, append
from leitstand.runbooks.locking import evidence_lock, in_words
from leitstand.runbooks.pending import Pending
from leitstand.runbooks.redaction import Redactor
from leitstand.runbooks.render import to_html
from leitstand.settings import Settings
from leitstand.storage.objects import ObjectStorage

NOTEBOOK_TYPE, HTML_TYPE, JSON_TYPE = (
    "application/x-ipynb+json",
    "text/html; charset=utf-8",
    "application/json",
)


@dataclass(frozen=True)
class Written:
    """An executed notebook as it is archived.

    Args:
        secrets: where secrets stood, in words; they are not in it any more.
    """

    notebook: bytes
    html: bytes
    secrets: list[str]


def written(executed: Any, title: str, *settings: Settings) -> Written:
    """The executed notebook and its HTML, without the secrets of these settings.

    Raises:
        IntegrityFailed: one can't be taken out.
    """
    executed, found = without_secrets(executed, *settings)
    return Written(documents.dumps(executed).encode(), to_html(executed, title).encode(), found)


def without_secrets(executed: Any, *settings: Settings) -> tuple[Any, list[str]]:
    """The executed notebook without the secrets that were printed in it, and where they stood, in words.

    Raises:
        IntegrityFailed: one can't be taken out.
    """
    redactor = Redactor(*settings)
    found = [str(finding) for finding in redactor.findings(executed)]
    if found:
        executed = redactor.redacted(executed)
        if redactor.findings(executed):
            raise IntegrityFailed(
                "A secret in the executed notebook can't be taken out; nothing was archived.",
                hint="Find the cell that prints it.",
            )
    return executed, found


def place_of(record: dict[str, Any], settings: Settings, ending: str) -> str:
    """Where a part of the evidence lies, or will lie, as s3://…"""
    return f"s3://{settings.bucket_evidence}/{record['prefix']}{record['file_name']}.{ending}"


def store(waiting: Pending, record: dict[str, Any], settings: Settings) -> dict[str, Any]:
    """Store the evidence of a run; gives what its link has to say. What is stored already is left as it is.

    Raises:
        Unavailable, PreconditionFailed: as the store says; it can be repeated.
    """
    prefix, name = record["prefix"], record["file_name"]
    files = (
        ("notebook", f"{prefix}{name}.ipynb", waiting.read(pending.NOTEBOOK), NOTEBOOK_TYPE),
        ("html", f"{prefix}{name}.html", waiting.read(pending.HTML), HTML_TYPE),
        ("record", f"{prefix}{RECORD}", waiting.read(RECORD), JSON_TYPE),
    )
    storage = ObjectStorage(settings)
    lock = evidence_lock(storage, settings)
    content: dict[str, Any] = {"lock": in_words(lock, settings)}
    for part, key, body, kind in files:
        digest = hashlib.sha256(body).hexdigest()
        if not _is_stored(storage, settings.bucket_evidence, key, digest):
            storage.put_bytes(settings.bucket_evidence, key, body, kind, lock=lock)
        content |= {part: f"s3://{settings.bucket_evidence}/{key}", f"{part}_sha256": digest}
    return content


def _is_stored(storage: ObjectStorage, bucket: str, key: str, sha256: str) -> bool:
    try:
        return storage.head(bucket, key).sha256 == sha256
    except NotFound:
        return False


def link_up(session: Session, settings: Settings, waiting: Pending, content: dict[str, Any]) -> Link:
    """Append the link of a stored run and write its row, and those of runs that the store alone knew; the caller commits.

    Raises:
        IntegrityFailed: the chain of the store does not follow that of the database.
        Unavailable, Conflict, PreconditionFailed: as the store says.
    """
    link = append_link(session, settings, kind=RUN, run_id=waiting.note.run_id, content=content)
    record = waiting.record
    if record is not None:
        records.keep(session, record, link)
    return link


def append_link(
    session: Session, settings: Settings, *, kind: str, run_id: UUID, content: dict[str, Any]
) -> Link:
    """Append a link; runs that the store alone knew get their rows back. The caller commits.

    Raises:
        As `chain.append` says.
    """
    link, taken_up = append(session, settings, kind=kind, run_id=run_id, content=content)
    for one in taken_up:
        if one.kind == RUN:
            records.keep(session, _stored_record(settings, one), one)
    return link


def _stored_record(settings: Settings, link: Link) -> dict[str, Any]:
    key = link.content["record"].removeprefix(f"s3://{settings.bucket_evidence}/")
    body = ObjectStorage(settings).get_bytes(
        settings.bucket_evidence, key, sha256=link.content["record_sha256"]
    )
    found: dict[str, Any] = json.loads(body)
    return found
