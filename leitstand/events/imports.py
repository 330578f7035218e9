"""What is known of an import: which file, how far, with which options; one at a time for a file."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from sqlalchemy import Engine, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from leitstand.db.models import EventImport
from leitstand.db.models.base import new_id

EXCLUSIVE = "SELECT pg_try_advisory_lock(hashtextextended(:key, 2))"
FINISHED = ("done", "truncated")


@dataclass(frozen=True)
class Counts:
    """What became of a file's lines: together they are all its records.

    Args:
        accepted: new events.
        duplicates: events that the workspace had before.
        identical: lines that repeat an earlier line of the file.
        refused: lines that can't be taken.
    """

    accepted: int = 0
    duplicates: int = 0
    identical: int = 0
    refused: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            self.accepted + other.accepted,
            self.duplicates + other.duplicates,
            self.identical + other.identical,
            self.refused + other.refused,
        )

    @property
    def lines(self) -> int:
        """All of them."""
        return self.accepted + self.duplicates + self.identical + self.refused


@dataclass(frozen=True)
class Options:
    """What an import was told about its companions: the activities that complete a run, and the funnel."""

    complete: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()

    def over(self, earlier: dict[str, list[str]]) -> "Options":
        """These options, and the earlier ones where nothing is said."""
        complete, steps = tuple(earlier.get("complete", ())), tuple(earlier.get("steps", ()))
        return Options(self.complete or complete, self.steps or steps)

    def to_dict(self) -> dict[str, list[str]]:
        return {"complete": list(self.complete), "steps": list(self.steps)}


@dataclass(frozen=True)
class Claim:
    """An import that may go on: from behind line `done`, with what was counted so far.

    Args:
        log_id: of the companions that first appear in this file.
        options: those given now, and those of earlier where nothing is said now.
        since: when its lines began to be read.
        finished: `done` or `truncated` if there is nothing to do, else empty.
    """

    import_id: UUID
    log_id: UUID
    options: Options
    since: datetime
    done: int
    counts: Counts
    finished: str = ""


def digest(path: Path) -> str:
    """SHA-256 of the file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def exclusive(engine: Engine, *, workspace_id: UUID, sha256: str, wait: Callable[[], None]) -> Iterator[None]:
    """Hold the only import of this file into this workspace; `wait` is called between tries while another has it.

    The database lets go of it when the process dies.
    """
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        while not connection.execute(text(EXCLUSIVE), {"key": f"{workspace_id}:{sha256}"}).scalar():
            wait()
        try:
            yield
        finally:
            connection.execute(
                text("SELECT pg_advisory_unlock(hashtextextended(:key, 2))"),
                {"key": f"{workspace_id}:{sha256}"},
            )


def claim(session: Session, *, workspace_id: UUID, path: Path, sha256: str, options: Options) -> Claim:
    """Begin the import of a file, go on with it, or find that it is finished.

    One that is finished begins again if it is told other options; its events are all there, so it adds none.
    """
    known = {"workspace_id": workspace_id, "file_sha256": sha256}
    fresh = {
        "id": new_id(),
        "log_id": new_id(),
        "file_name": path.name,
        "file_bytes": path.stat().st_size,
        "options": options.to_dict(),
    }
    now = datetime.now(UTC)
    session.execute(insert(EventImport).values(known | fresh | {"started_at": now}).on_conflict_do_nothing())
    row = session.execute(select(EventImport).filter_by(**known).with_for_update()).scalar_one()
    wanted = options.over(row.options)
    counts = Counts(row.accepted, row.duplicates, row.identical, row.refused)
    found = Claim(row.id, row.log_id, wanted, row.started_at, row.lines_done, counts)
    if wanted.to_dict() == row.options:
        return replace(found, finished=row.status) if row.status in FINISHED else found
    again = {
        "options": wanted.to_dict(),
        "status": "running",
        "lines_done": 0,
        "started_at": now,
        "finished_at": None,
    }
    zero = {"accepted": 0, "duplicates": 0, "identical": 0, "refused": 0}
    session.execute(update(EventImport).where(EventImport.id == row.id).values(again | zero))
    return Claim(row.id, row.log_id, wanted, now, 0, Counts())


def advance(session: Session, *, import_id: UUID, lines_done: int, more: Counts) -> None:
    """Note that everything up to a line is written, in the transaction that writes it."""
    counted = {
        "accepted": EventImport.accepted + more.accepted,
        "duplicates": EventImport.duplicates + more.duplicates,
        "identical": EventImport.identical + more.identical,
        "refused": EventImport.refused + more.refused,
    }
    session.execute(
        update(EventImport).where(EventImport.id == import_id).values(counted | {"lines_done": lines_done})
    )


def finish(session: Session, *, import_id: UUID, status: str) -> None:
    """Note that the file was read to its end (`done`), or to where it is damaged (`truncated`)."""
    values = {"status": status, "finished_at": datetime.now(UTC)}
    session.execute(update(EventImport).where(EventImport.id == import_id).values(values))
