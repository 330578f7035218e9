"""Import of event files: streaming, resumable, idempotent; what can't be taken is refused, kept and reported."""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
from sqlalchemy import Engine, any_, literal, select, text, update
from sqlalchemy.orm import Session

from leitstand.db.models import EventRefusal, RunFact, Workspace
from leitstand.errors import Unavailable
from leitstand.events import imports
from leitstand.events.batches import Batch, BatchWriter
from leitstand.events.imports import Claim, Counts, Options
from leitstand.events.readers import Damaged, Reader, open_reader
from leitstand.events.rows import Builder
from leitstand.identity.workspaces import checked_zone
from leitstand.words import N_

SUFFIXES = (".gz", ".csv", ".tsv", ".txt", ".ndjson", ".jsonl", ".json", ".parquet")
SAMPLES = 10
WAIT_SECONDS = 0.5
# From so many new events on, the planner's statistics of the facts are renewed at once.
WORTH_ANALYZING = 5_000


@dataclass(frozen=True)
class Progress:
    """How far an import is: the share of the file, 0 to 1, and what became of its lines; or what it waits for."""

    share: float
    counts: Counts
    waiting: str = ""


@dataclass(frozen=True)
class ImportResult:
    """What an import did.

    Args:
        counts: what became of the file's lines, over all runs of this import.
        companions: how many companions the lines read now name.
        resumed_from: the line behind which an interrupted import went on; 0 if it began at the start.
        already_imported: the file had been imported with the same options before; nothing was done.
        truncated: the file is damaged; what stands before the damage was taken.
        unknown_steps: names given as end or funnel steps that no run of the workspace reached.
        refusals: the first refused lines, as (line, reason).
    """

    import_id: UUID
    file: str
    format: str
    counts: Counts
    companions: int
    resumed_from: int
    already_imported: bool
    truncated: bool
    unknown_steps: list[str]
    refusals: list[tuple[int, str]]
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """The document that `--json` prints."""
        counts, fresh = self.counts, not self.already_imported
        return {
            "import_id": str(self.import_id),
            "file": self.file,
            "format": self.format,
            "lines": counts.lines,
            "accepted": counts.accepted if fresh else 0,
            "duplicates": counts.duplicates if fresh else counts.accepted + counts.duplicates,
            "identical_lines": counts.identical,
            "refused": counts.refused,
            "refusals": [{"line": line, "reason": reason} for line, reason in self.refusals],
            "companions": self.companions,
            "resumed_from_line": self.resumed_from,
            "already_imported": self.already_imported,
            "truncated": self.truncated,
            "unknown_steps": self.unknown_steps,
            "seconds": round(self.seconds, 3),
        }


def import_file(
    engine: Engine,
    path: Path,
    *,
    workspace_id: UUID,
    complete: Sequence[str] = (),
    steps: Sequence[str] = (),
    zone: str | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> ImportResult:
    """Take the events of a file into a workspace; works in many transactions, and goes on after any interruption.

    Args:
        complete: activities that complete a run, for every companion that the file names; none: as they are.
        steps: those companions' funnel, in order; none: as it is.
        zone: the workspace's reporting zone from now on.
        progress: called after every batch.

    Raises:
        InvalidInput: the file can't be read as events at all, or there is no such zone.
        Unavailable: the database went away; the same call goes on where it stopped.
    """
    begun, tell = time.monotonic(), progress or (lambda _: None)
    zone = checked_zone(zone) if zone else None
    reader = open_reader(path)
    try:
        if zone:
            _set_zone(engine, workspace_id, zone)
        sha256 = imports.digest(path)
        with imports.exclusive(engine, workspace_id=workspace_id, sha256=sha256, wait=lambda: _wait(tell)):
            return _import(
                engine,
                reader,
                path,
                workspace_id,
                sha256,
                Options(tuple(complete), tuple(steps)),
                tell,
                begun,
            )
    except psycopg.OperationalError as error:
        hint = N_("Run the same command again when it is back: the import goes on where it stopped.")
        raise Unavailable("The database went away during the import.", hint=hint) from error
    finally:
        reader.close()


def _import(
    engine: Engine, reader: Reader, path: Path, workspace_id: UUID, sha256: str, options: Options,
    tell: Callable[[Progress], None], begun: float,
) -> ImportResult:  # fmt: skip
    with Session(engine) as session, session.begin():
        claim = imports.claim(session, workspace_id=workspace_id, path=path, sha256=sha256, options=options)
    finished, counts, companions = claim.finished, claim.counts, 0
    if not finished:
        builder = Builder(fallback_name(path), datetime.now(UTC))
        writer = BatchWriter(engine, workspace_id=workspace_id, claim=claim, received_at=builder.received_at)
        counts, finished = _copy(reader, builder, writer, claim, tell)
        _finish(engine, claim, finished, counts.accepted - claim.counts.accepted)
        companions = len(writer.companions)
    with Session(engine) as session:
        return ImportResult(
            import_id=claim.import_id,
            file=path.name,
            format=reader.format,
            counts=counts,
            companions=companions,
            resumed_from=0 if claim.finished else claim.done,
            already_imported=bool(claim.finished),
            truncated=finished == "truncated",
            unknown_steps=_unknown(session, workspace_id, [*options.complete, *options.steps]),
            refusals=_samples(session, claim.import_id),
            seconds=time.monotonic() - begun,
        )


def _copy(
    reader: Reader, builder: Builder, writer: BatchWriter, claim: Claim, tell: Callable[[Progress], None]
) -> tuple[Counts, str]:
    """Write the file's lines, each batch while the next one is read; what became of them, and how it ended."""
    counts, status, pending = claim.counts, "done", None
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="import") as pool:
        batches = _batches(reader, builder, claim.done)
        while True:
            batch, status = next(batches)
            if pending is not None:
                counts += pending.result()
                tell(Progress(reader.progress(), counts))
            if batch is None:
                return counts, status
            pending = pool.submit(writer.write, batch)


def _batches(reader: Reader, builder: Builder, skip: int) -> Iterator[tuple[Batch | None, str]]:
    """The file's batches, then None with the status in which it ended."""
    batch, status = Batch(), "done"
    try:
        for record in reader.records(skip):
            batch.add(record, builder)
            if batch.full:
                yield batch, "running"
                batch = Batch()
    except Damaged as damaged:
        batch.refuse(damaged.line, damaged.reason, "")
        batch.last_line = max(batch.last_line, damaged.line)
        status = "truncated"
    if batch.last_line:
        yield batch, "running"
    yield None, status


def fallback_name(path: Path) -> str:
    """What an event's companion is called that names neither flow nor item: the file's name without its endings."""
    name = path.name
    while (suffix := Path(name).suffix.lower()) in SUFFIXES and Path(name).stem:
        name = name[: -len(suffix)]
    return name


def _wait(tell: Callable[[Progress], None]) -> None:
    tell(Progress(0.0, Counts(), waiting="another import of the same file"))
    time.sleep(WAIT_SECONDS)


def _set_zone(engine: Engine, workspace_id: UUID, zone: str) -> None:
    with Session(engine) as session, session.begin():
        session.execute(update(Workspace).where(Workspace.id == workspace_id).values(reporting_zone=zone))


def _finish(engine: Engine, claim: Claim, status: str, new: int) -> None:
    with Session(engine) as session, session.begin():
        imports.finish(session, import_id=claim.import_id, status=status)
    if new >= WORTH_ANALYZING:
        with Session(engine) as session, session.begin():
            session.execute(text("SET LOCAL statement_timeout = '10min'"))
            session.execute(text("ANALYZE run_fact, actor_bucket"))


def _unknown(session: Session, workspace_id: UUID, names: list[str]) -> list[str]:
    def reached(name: str) -> bool:
        found = (
            select(1)
            .where(RunFact.workspace_id == workspace_id, literal(name) == any_(RunFact.steps))
            .limit(1)
        )
        return session.execute(found).first() is not None

    return [name for name in dict.fromkeys(names) if not reached(name)]


def _samples(session: Session, import_id: UUID) -> list[tuple[int, str]]:
    first = select(EventRefusal.line, EventRefusal.reason).where(EventRefusal.import_id == import_id)
    return [
        (line or 0, reason)
        for line, reason in session.execute(first.order_by(EventRefusal.line).limit(SAMPLES))
    ]
