"""Spaces with a document that can be found."""

from uuid import UUID

from sqlalchemy.orm import Session

from leitstand.db.models import Document, Item
from leitstand.knowledge.ingest import index_passages
from leitstand.knowledge.parsing.passages import cut
from leitstand.knowledge.parsing.readers import read


def space_with(session: Session, workspace_id: UUID, markdown: bytes) -> Item:
    """A space about birds with one document, read and indexed; committed."""
    space = Item(workspace_id=workspace_id, kind="space", title="Birds")
    session.add(space)
    session.flush()
    document = Document(
        workspace_id=workspace_id, space_id=space.id, title="herons.md", object_key="",
        media_type="text/markdown", bytes=len(markdown), sha256="h",
    )  # fmt: skip
    session.add(document)
    session.flush()
    index_passages(session, document, cut(document.title, read(document.media_type, markdown)))
    session.commit()
    return space
