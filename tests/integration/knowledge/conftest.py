"""Ways to have documents read at once."""

import hashlib
from collections.abc import Callable
from uuid import UUID

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from leitstand.db.models import Document, Item
from leitstand.identity.access import Principal
from leitstand.knowledge.documents import add_document
from leitstand.knowledge.ingest import index_passages, ingest
from leitstand.knowledge.parsing.passages import cut
from leitstand.knowledge.parsing.readers import read
from leitstand.storage.objects import ObjectStorage

AddReady = Callable[..., Document]


@pytest.fixture
def add_indexed(session: Session, owner: Principal, space: Item) -> AddReady:
    """Adds a document that is indexed at once, without store and reader: for what is about finding it."""

    def add(title: str, text: str, *, space_id: UUID | None = None, principal: Principal = owner) -> Document:
        data = text.encode()
        document = Document(
            workspace_id=principal.workspace_id, space_id=space_id or space.id, title=title, object_key="",
            media_type="text/markdown", bytes=len(data), sha256=hashlib.sha256(data).hexdigest(),
        )  # fmt: skip
        session.add(document)
        session.flush()
        index_passages(session, document, cut(title, read("text/markdown", data)))
        session.commit()
        return document

    return add


@pytest.fixture
def add_ready(
    engine: Engine, session: Session, storage: ObjectStorage, owner: Principal, space: Item
) -> AddReady:
    """Adds a document and reads it, as the worker would."""

    def add(
        title: str, text: str | bytes, *, space_id: UUID | None = None, principal: Principal = owner
    ) -> Document:
        data = text.encode() if isinstance(text, str) else text
        added = add_document(
            session, storage, principal=principal, space_id=space_id or space.id, title=title, data=data
        )
        session.commit()
        ingest(engine, storage, document_id=added.document.id)
        session.refresh(added.document)
        return added.document

    return add
