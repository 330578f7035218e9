"""Real documents, read as the worker reads them: each ends ready or failed with the right reason, and none is stuck."""

import csv
from pathlib import Path

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from leitstand.db.models import Document
from leitstand.knowledge.embeddings import embed_lacking, progress
from leitstand.knowledge.media import READABLE, media_type_of, why_not
from leitstand.knowledge.parsing.outline import Unreadable
from leitstand.knowledge.parsing.readers import read
from leitstand.words import words_of
from tests.integration.knowledge.conftest import AddReady

SHARED = Path(__file__).resolve().parents[4] / "shared" / "data" / "documents"
pytestmark = pytest.mark.skipif(not SHARED.is_dir(), reason="the documents are not here")


def listed() -> list[str]:
    with (SHARED / "MANIFEST.csv").open(newline="") as stream:
        return [row["path"] for row in csv.DictReader(stream)]


def expected(name: str, data: bytes) -> tuple[str, str]:
    """The status and the reason that a file of this name and content must end with."""
    media_type = media_type_of(name)
    if media_type not in READABLE:
        return "failed", why_not(media_type)
    try:
        read(media_type, data)
    except Unreadable as error:
        return "failed", words_of(error)
    return "ready", ""


def ended(session: Session, add_ready: AddReady, names: list[str]) -> list[Document]:
    """The documents that these files became, each compared with what it must have ended as."""
    seen: dict[bytes, str] = {}
    for name in names:
        data = (SHARED / name).read_bytes()
        if data in seen:
            continue
        seen[data] = name
        document = add_ready(name.replace("/", " "), data)
        assert (document.status, str(document.reason)) == expected(name, data), name
        assert (document.passages > 0) == (document.status == "ready"), name
    return list(session.scalars(select(Document)))


def test_one_of_every_kind_is_read_or_says_why_not(session: Session, add_ready: AddReady) -> None:
    kinds = {Path(name).suffix: name for name in listed()}
    documents = ended(session, add_ready, list(kinds.values()))
    assert {document.status for document in documents} == {"ready", "failed"}


@pytest.mark.long
@pytest.mark.timeout(1_800)
def test_every_document_is_read_or_says_why_not(
    engine: Engine, session: Session, add_ready: AddReady
) -> None:
    documents = ended(session, add_ready, listed())
    assert len(documents) > 100
    assert all(document.reason for document in documents if document.status == "failed")
    assert embed_lacking(engine)
    done = progress(session)
    assert done.passages == done.embedded > 1_000
