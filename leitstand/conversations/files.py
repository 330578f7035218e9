"""Files that come with a question: taken in, handed out again, and forgotten with the conversation."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from leitstand.catalogue.items import get_item
from leitstand.catalogue.text import checked_title
from leitstand.conversations.keeping import KIND
from leitstand.db.models import Conversation, ConversationAttachment, ConversationMessage
from leitstand.db.models.base import new_id
from leitstand.errors import Conflict, InvalidInput, NotFound
from leitstand.identity.access import Principal
from leitstand.knowledge.media import media_type_of, why_not
from leitstand.limits.room import require_room
from leitstand.storage.objects import CHUNK, ObjectStorage
from leitstand.words import N_, Message, msg, said

MOST_FILES, MOST_BYTES, MEGABYTE = 5, 5_000_000, 1_000_000
# All files of one conversation together.
MOST_OF_CONVERSATION = 50
NO_MODEL = N_("Files are read by models, and no model is connected.")


@dataclass(frozen=True)
class File:
    """A file as somebody sent it; its type is told by its name where `media_type` says nothing."""

    name: str
    data: bytes
    media_type: str = ""


def take(
    session: Session,
    storage: ObjectStorage | None,
    *,
    principal: Principal,
    conversation: Conversation,
    files: Sequence[File],
    model: bool,
) -> tuple[str, ...]:
    """Store files of one's own conversation; they are scanned and read in the queue, before the answer. Gives their ids.

    Args:
        model: whether a model is there that reads them.

    Raises:
        InvalidInput: no model is, there are too many, or one is empty, too large, or of a kind that can't be read.
        LimitReached: the plan has no room for so many bytes.
        Unavailable: the object store does not answer.
    """
    if not files:
        return ()
    if not model:
        raise InvalidInput(NO_MODEL, hint="Ask without a file.")
    _check_count(session, conversation, len(files))
    checked = [_checked(file) for file in files]
    require_room(session, principal.workspace_id, "storage_bytes", sum(len(file.data) for file in checked))
    assert storage is not None  # noqa: S101 - whoever has files has a place for them
    return tuple(str(_store(session, storage, conversation, file).id) for file in checked)


def hand_out(
    session: Session, storage: ObjectStorage, *, principal: Principal, item_id: UUID, attachment_id: UUID
) -> ConversationAttachment:
    """A file that whoever may read the conversation may have.

    Raises:
        NotFound: there is no such conversation that the principal may see, or no such file in it.
        Conflict: a virus was found in it, or it has not been scanned where there is a scanner.
    """
    get_item(session, principal=principal, item_id=item_id, kind=KIND)
    found = session.scalar(
        select(ConversationAttachment).where(
            ConversationAttachment.workspace_id == principal.workspace_id,
            ConversationAttachment.conversation_id == item_id,
            ConversationAttachment.id == attachment_id,
        )
    )
    if found is None:
        raise NotFound("There is no such file in this conversation.")
    if not found.bytes:
        raise Conflict("A virus was found in this file, so that nobody gets it.")
    if storage.settings.clamd_address and found.scanned_at is None:
        raise Conflict("This file has not been scanned for viruses yet.", hint="Try again in a minute.")
    return found


def pieces(
    storage: ObjectStorage, attachment: ConversationAttachment, first: int, last: int
) -> Iterator[bytes]:
    """The bytes `first` to `last` (included) of a file; the whole of it is compared with its SHA-256 at its end.

    Raises:
        NotFound, Unavailable: the object store has not got it, or does not answer.
    """
    bucket = storage.settings.bucket_media
    if (first, last) != (0, attachment.bytes - 1):
        return storage.open_range(bucket, attachment.object_key, first, last)
    stream = storage.open_stream(bucket, attachment.object_key, sha256=attachment.sha256)
    return iter(lambda: stream.read(CHUNK) or b"", b"")


def attachments_of(
    session: Session, workspace_id: UUID, messages: Sequence[ConversationMessage]
) -> dict[str, ConversationAttachment]:
    """The files that came with messages, by their ids."""
    wanted = {UUID(one) for message in messages for one in message.attachments}
    if not wanted:
        return {}
    query = select(ConversationAttachment).where(
        ConversationAttachment.workspace_id == workspace_id, ConversationAttachment.id.in_(wanted)
    )
    return {str(one.id): one for one in session.scalars(query)}


def _check_count(session: Session, conversation: Conversation, count: int) -> None:
    if count > MOST_FILES:
        raise InvalidInput(msg("At most {most_files} files at once.", most_files=MOST_FILES))
    there = select(func.count()).where(
        ConversationAttachment.workspace_id == conversation.workspace_id,
        ConversationAttachment.conversation_id == conversation.item_id,
    )
    if (session.scalar(there) or 0) + count > MOST_OF_CONVERSATION:
        raise InvalidInput(
            msg("A conversation may have at most {most} files.", most=MOST_OF_CONVERSATION),
            hint="Begin another conversation, or put the documents into a space.",
        )


def _checked(file: File) -> File:
    name = checked_title(file.name)
    media_type = media_type_of(name, file.media_type)
    if not file.data:
        raise InvalidInput(msg("{title!r} is empty.", title=name))
    if len(file.data) > MOST_BYTES:
        raise InvalidInput(
            msg("{title!r} is {size:.1f} MB large.", title=name, size=len(file.data) / MEGABYTE),
            hint=msg("A file that comes with a question has at most {most} MB.", most=MOST_BYTES // MEGABYTE),
        )
    if reason := why_not(media_type):
        problem = reason if isinstance(reason, Message) else said(reason)
        raise InvalidInput(msg("{name}: {problem}", name=name, problem=problem))
    return File(name, file.data, media_type)


def _store(
    session: Session, storage: ObjectStorage, conversation: Conversation, file: File
) -> ConversationAttachment:
    id_ = new_id()
    attachment = ConversationAttachment(
        id=id_, workspace_id=conversation.workspace_id, conversation_id=conversation.item_id, name=file.name,
        object_key=f"conversations/{conversation.workspace_id}/{id_}", media_type=file.media_type,
        bytes=len(file.data), sha256=hashlib.sha256(file.data).hexdigest(),
    )  # fmt: skip
    session.add(attachment)
    session.flush()
    storage.put_bytes(storage.settings.bucket_media, attachment.object_key, file.data, file.media_type)
    return attachment
