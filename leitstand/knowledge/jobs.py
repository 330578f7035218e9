"""The jobs of knowledge: reading a document, and forgetting a deleted one's file."""

from uuid import UUID

from leitstand.jobs.registry import job


@job("knowledge.ingest", attempts=5, lock="document-{document_id}")
def ingest_document(*, document_id: str) -> None:
    """Read a document and index its passages."""
    from leitstand.db.engine import get_engine
    from leitstand.knowledge.ingest import ingest
    from leitstand.settings import get_settings
    from leitstand.storage.objects import ObjectStorage

    ingest(get_engine(), ObjectStorage(get_settings()), document_id=UUID(document_id))


@job("knowledge.forget", attempts=10)
def forget_file(*, key: str) -> None:
    """Delete every version of a deleted document's file."""
    from leitstand.knowledge.ingest import forget
    from leitstand.settings import get_settings
    from leitstand.storage.objects import ObjectStorage

    forget(ObjectStorage(get_settings()), key=key)
