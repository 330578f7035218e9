"""The jobs of knowledge: reading a document, giving its passages vectors, forgetting a file, and telling of a virus."""

from uuid import UUID

from leitstand.jobs.registry import VECTORS_QUEUE, job


@job("knowledge.ingest", attempts=5, lock="document-{document_id}")
def ingest_document(*, document_id: str) -> None:
    """Read a document and index its passages."""
    from leitstand.db.engine import get_engine
    from leitstand.knowledge.ingest import ingest
    from leitstand.settings import get_settings
    from leitstand.storage.objects import ObjectStorage

    ingest(get_engine(), ObjectStorage(get_settings()), document_id=UUID(document_id))


@job("knowledge.embed", attempts=8, lock="embed-{document_id}", queue=VECTORS_QUEUE)
def embed(*, document_id: str) -> None:
    """Give the passages of a document their vectors."""
    from leitstand.db.engine import get_engine
    from leitstand.knowledge.embeddings import embed_document

    embed_document(get_engine(), document_id=UUID(document_id))


@job("knowledge.vectors", attempts=8, lock="vectors", queue=VECTORS_QUEUE)
def embed_what_lacks(*, workspace_id: str | None = None) -> None:
    """Give all passages, or those of a workspace, the vectors that they lack."""
    from leitstand.db.engine import get_engine
    from leitstand.knowledge.embeddings import catch_up

    catch_up(get_engine(), workspace_id=UUID(workspace_id) if workspace_id else None)


@job("knowledge.forget", attempts=10)
def forget_file(*, key: str) -> None:
    """Delete every version of a deleted document's file."""
    from leitstand.knowledge.ingest import forget
    from leitstand.settings import get_settings
    from leitstand.storage.objects import ObjectStorage

    forget(ObjectStorage(get_settings()), key=key)


@job("knowledge.abandon", attempts=10)
def abandon_upload(*, key: str, store_id: str) -> None:
    """Free what the store has of an upload that was given up."""
    from leitstand.knowledge.upload_care import abandon
    from leitstand.settings import get_settings
    from leitstand.storage.objects import ObjectStorage

    abandon(ObjectStorage(get_settings()), key=key, store_id=store_id)


@job("knowledge.infected-mail", attempts=8, first_wait=30)
def mail_infected(*, document_id: str) -> None:
    """Tell whoever uploaded a document that a virus was found in it."""
    from leitstand.db.engine import get_engine
    from leitstand.knowledge.infected_mail import send
    from leitstand.settings import get_settings

    send(get_engine(), get_settings(), document_id=UUID(document_id))
