"""The shapes of documents and uploads."""

from datetime import datetime
from uuid import UUID

from pydantic import ConfigDict, Field

from api.models import Answer, Request
from leitstand.db.models.knowledge import STATUSES
from leitstand.knowledge.document_trash import ACTIONS, MOST


class DocumentOut(Answer):
    id: UUID
    space_id: UUID
    title: str
    media_type: str
    bytes: int
    sha256: str
    status: str = Field(description=f"One of: {', '.join(STATUSES)}.")
    reason: str = Field(description="Why it failed, what was found in it, or what it waits for.")
    language: str
    passages: int
    characters: int
    scanned_at: datetime | None = Field(description="When a virus scanner found nothing in it.")
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None


class AddedOut(DocumentOut):
    duplicate: bool = Field(
        description="Whether the space had this content already; nothing was changed then."
    )


class DocumentsOut(Answer):
    """One page; `next` is the cursor of the next page, null at the end."""

    items: list[DocumentOut]
    next: str | None


class DocumentChange(Request):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"title": "Returns, 2027"}]})

    title: str


class DocumentsBulkIn(Request):
    """One action on documents of the space: on all of them, or on none."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"ids": ["01890a5d-ac96-774b-bcce-b302099a8057"], "action": "delete"}]
        },
    )

    ids: list[UUID] = Field(min_length=1, max_length=MOST)
    action: str = Field(description=f"One of: {', '.join(ACTIONS)}.")


class UploadIn(Request):
    """A file that will come in pieces. With its `sha256` it is compared in the end, and an upload of the same file that
    was begun before is gone on with."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"title": "manual.html", "bytes": 52_428_800, "media_type": "text/html"}]
        },
    )

    title: str
    bytes: int = Field(ge=1, le=1_000_000_000_000)
    media_type: str = Field("", max_length=200)
    sha256: str = Field("", max_length=64)


class UploadOut(Answer):
    id: UUID
    title: str
    media_type: str
    bytes: int
    received: int = Field(
        description="So many are there and are never sent again: where the next piece begins."
    )
    chunk_bytes: int = Field(description="How large a piece should be.")
    status: str = Field(description="open, complete or refused (`reason` says why).")
    reason: str
    expires_at: datetime
    presigned: bool = Field(description="Whether parts can be put to the object store itself.")


class BegunOut(Answer):
    """The upload to go on with, or the document that the space has of this content."""

    upload: UploadOut | None
    document: DocumentOut | None


class PartsIn(Request):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"numbers": [1, 2, 3]}]})

    numbers: list[int] = Field(min_length=1, max_length=100)


class PartsOut(Answer):
    """Where each part is PUT, in exactly its size, until the addresses expire."""

    urls: dict[int, str]
    seconds: int
