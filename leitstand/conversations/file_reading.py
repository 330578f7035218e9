"""A file that came with a question is scanned and parsed, by the readers of documents, in their process with its limits."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, update

from leitstand.db.engine import transaction
from leitstand.db.models import ConversationAttachment
from leitstand.errors import NotFound
from leitstand.identity import audit
from leitstand.identity.access import system_principal
from leitstand.knowledge.ingest import forget
from leitstand.knowledge.parsing.outline import Unreadable
from leitstand.knowledge.parsing.passages import HEADING_GAP, Passage
from leitstand.knowledge.parsing.process import parse
from leitstand.knowledge.scanner import TooLargeToScan, scan
from leitstand.storage.objects import ObjectStorage
from leitstand.telemetry.logs import get_logger
from leitstand.words import N_, msg, words_of

LONGEST_TEXT = 200_000
GONE = N_("Its file is not there any more.")
log = get_logger("conversations")


def read(engine: Engine, storage: ObjectStorage, *, attachment_id: UUID) -> None:
    """Let a file be ready, with its text, or refused with the reason; one that was looked at is not again.

    Raises:
        Unavailable: the object store or the scanner does not answer.
    """
    with transaction(engine) as session:
        attachment = session.get(ConversationAttachment, attachment_id)
    if attachment is None or attachment.status != "waiting":
        return
    try:
        bucket = storage.settings.bucket_media
        data = storage.get_bytes(bucket, attachment.object_key, sha256=attachment.sha256)
        if found := _found(storage, data):
            _infected(engine, storage, attachment, found)
            return
        text = text_of(attachment.name, parse(attachment.media_type, attachment.name, data))
    except TooLargeToScan as error:
        _set(engine, attachment_id, status="refused", reason=error.said)
    except Unreadable as error:
        _set(engine, attachment_id, status="refused", reason=words_of(error), scanned_at=datetime.now(UTC))
    except NotFound:
        _set(engine, attachment_id, status="refused", reason=GONE)
    else:
        _set(engine, attachment_id, status="ready", text=text, scanned_at=datetime.now(UTC))


def text_of(name: str, passages: list[Passage]) -> str:
    """The text of a file, each heading once where it begins, without the name that heads them all."""
    parts: list[str] = []
    heading = ""
    for passage in passages:
        if passage.heading != heading:
            heading = passage.heading
            parts.append(heading.removeprefix(name).removeprefix(HEADING_GAP))
        parts.append(passage.content)
    return "\n\n".join(filter(None, parts))[:LONGEST_TEXT]


def _found(storage: ObjectStorage, data: bytes) -> str:
    """What the scanner finds; empty where it finds nothing, or where there is none."""
    address = storage.settings.clamd_address
    return scan(address, [data]) if address else ""


def _infected(engine: Engine, storage: ObjectStorage, attachment: ConversationAttachment, found: str) -> None:
    """Delete the file; its row says what was in it, and takes no room."""
    forget(storage, key=attachment.object_key)
    reason = msg("A virus was found in it: {found}", found=found)
    _set(engine, attachment.id, status="refused", reason=reason, bytes=0)
    with transaction(engine) as session:
        scanner = system_principal(attachment.workspace_id, "virus scanner")
        target = f"conversation:{attachment.conversation_id}"
        audit.record(
            session, principal=scanner, action="conversation.infected", target=target, after={"found": found}
        )
    log.warning("infected file", attachment=str(attachment.id), found=found)


def _set(engine: Engine, attachment_id: UUID, **values: Any) -> None:
    with transaction(engine) as session:
        here = ConversationAttachment.id == attachment_id
        session.execute(update(ConversationAttachment).where(here).values(**values))
