"""The signed-off record of a run: the executed notebook, its HTML and its hash chained to the run before."""

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import select
from sqlalchemy.orm import Session

from leitstand import __version__
from leitstand.db.models import Drill
from leitstand.errors import IntegrityFailed, NotFound
from leitstand.runbooks import documents
from leitstand.runbooks.library import Notebook
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
class Archived:
    """Where the evidence of a run lies.

    Args:
        notebook, html: s3:// addresses.
        secrets: where secrets stood, in words; they are not in what was archived.
        chain_sha256: hash of the run before's chain and of this notebook.
    """

    notebook: str
    html: str
    notebook_sha256: str
    html_sha256: str
    chain_sha256: str
    secrets: list[str]


def archive(
    settings: Settings,
    notebook: Notebook,
    executed: Any,
    *,
    run_id: str,
    previous: str,
    record: dict[str, Any],
    earlier: Settings | None = None,
) -> Archived:
    """Scan the executed notebook for secrets, take them out, and store it, its HTML and the record of the run.

    Args:
        previous: chain hash of the run before, empty for the first.
        record: what else is known of the run; stored beside the notebook.
        earlier: the settings with which the run began, where it changed secrets.
    """
    executed, found = without_secrets(executed, settings, *([earlier] if earlier else []))
    storage, bucket = ObjectStorage(settings), settings.bucket_evidence
    prefix = f"{notebook.path.parent.name}/{datetime.now(UTC):%Y/%m}/{run_id}/"
    body = documents.dumps(executed).encode()
    page = to_html(executed, notebook.title).encode()
    stored = storage.put_bytes(bucket, f"{prefix}{notebook.file_name}.ipynb", body, NOTEBOOK_TYPE)
    stored_page = storage.put_bytes(bucket, f"{prefix}{notebook.file_name}.html", page, HTML_TYPE)
    chain = chained(previous, stored.sha256)
    archived = Archived(stored.address, stored_page.address, stored.sha256, stored_page.sha256, chain, found)
    entry = {
        "run_id": run_id,
        "notebook": vars(archived),
        "previous_chain_sha256": previous,
        "application_version": __version__,
        **record,
    }
    storage.put_bytes(bucket, f"{prefix}record.json", json.dumps(entry, indent=1).encode(), JSON_TYPE)
    return archived


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


def chained(previous: str, notebook_sha256: str) -> str:
    """The next link: who changes one notebook has to change every later link."""
    return hashlib.sha256(f"{previous}\n{notebook_sha256}\n".encode()).hexdigest()


def last_chain(session: Session) -> str:
    """The newest link, empty when there is none."""
    query = (
        select(Drill.chain_sha256)
        .where(Drill.chain_sha256 != "")
        .order_by(Drill.finished_at.desc(), Drill.id.desc())
    )
    return session.scalars(query.limit(1)).first() or ""


def broken_links(session: Session, settings: Settings) -> list[str]:
    """The runs whose archived notebook is gone or is not the one in the chain, oldest first; empty when all is well."""
    storage, previous, broken = ObjectStorage(settings), "", []
    for drill in session.scalars(
        select(Drill).where(Drill.chain_sha256 != "").order_by(Drill.finished_at, Drill.id)
    ):
        place = urlsplit(drill.notebook)
        try:
            storage.get_bytes(place.netloc, place.path.lstrip("/"), sha256=drill.notebook_sha256)
        except (IntegrityFailed, NotFound):
            broken.append(str(drill.id))
        if chained(previous, drill.notebook_sha256) != drill.chain_sha256 and str(drill.id) not in broken:
            broken.append(str(drill.id))
        previous = drill.chain_sha256
    return broken
