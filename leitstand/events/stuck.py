"""What of the ingestion has stopped: files that lie in the inbox, and imports that nobody goes on with."""

import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from leitstand.db.models import EventImport, Workspace
from leitstand.events.imports import EXCLUSIVE
from leitstand.events.inbox import DONE, FAILED, FOLDER, settled
from leitstand.settings import Settings

MINE = text(EXCLUSIVE.replace("pg_try_advisory_lock", "pg_try_advisory_xact_lock"))


@dataclass(frozen=True)
class Stopped:
    """An import that began and that no process goes on with; the same file imported again goes on behind `lines_done`."""

    id: UUID
    workspace: str
    file: str
    lines_done: int
    since: datetime


def stopped_imports(session: Session) -> list[Stopped]:
    """The imports that stopped in the middle, oldest first."""
    query = (
        select(EventImport, Workspace.slug)
        .join(Workspace, Workspace.id == EventImport.workspace_id)
        .where(EventImport.status == "running")
        .order_by(EventImport.started_at)
    )
    return [
        Stopped(one.id, slug, one.file_name, one.lines_done, one.started_at)
        for one, slug in session.execute(query)
        if session.scalar(MINE, {"key": f"{one.workspace_id}:{one.file_sha256}"})
    ]


def waiting_files(settings: Settings) -> list[Path]:
    """The files in the inbox that could be taken, of every workspace."""
    return [path for folder in _folders(settings) for path in settled(folder, time.time())]


def failed_files(settings: Settings) -> list[Path]:
    """The files that were put away because they could not be taken."""
    found = [path for folder in _folders(settings) for path in sorted((folder / FAILED).glob("*"))]
    return [path for path in found if path.is_file() and not path.name.endswith(".report.json")]


def _folders(settings: Settings) -> list[Path]:
    root = settings.data_dir / FOLDER
    return sorted(path for path in root.glob("*") if path.is_dir() and path.name not in {DONE, FAILED})
