"""One run of one notebook, from its note on this machine to its evidence in store, chain and catalogue."""

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from leitstand import __version__
from leitstand.backups import secret_files
from leitstand.backups.work import Progress
from leitstand.db.engine import make_engine, transaction
from leitstand.db.models import Backup
from leitstand.db.models.base import new_id
from leitstand.errors import LeitstandError
from leitstand.runbooks import archiving, documents, pending, records, reserve, scratch
from leitstand.runbooks.delivering import NO_DATABASE, Delivered, adopt_all, deliver
from leitstand.runbooks.executor import Executed, execute
from leitstand.runbooks.following import Reached
from leitstand.runbooks.holding import Held, one_at_a_time
from leitstand.runbooks.journal import Journal, journal_of, point_to
from leitstand.runbooks.library import Notebook
from leitstand.runbooks.parameters import declared
from leitstand.runbooks.pending import DRILL, Note, Pending
from leitstand.runbooks.redaction import Redactor
from leitstand.runbooks.results import DrillResult
from leitstand.runbooks.source_point import measure
from leitstand.runbooks.taking_up import CONFIRMED, EVIDENCE, POINT
from leitstand.settings import Settings
from leitstand.storage.objects import ObjectStorage
from leitstand.telemetry.logs import get_logger

RUN_ID = "run_id"
# Characters of output that who follows a run sees at once.
FOLLOWED = 8_000

log = get_logger("drills")


def note_of(
    notebook: Notebook,
    *,
    category: str,
    parameters: dict[str, Any],
    requested_by: str,
    run_id: UUID | None = None,
) -> Note:
    """The note of a run that begins now; `run_id` where it was given already."""
    run_id, began = run_id or new_id(), datetime.now(UTC)
    return Note(
        run_id=run_id,
        name=notebook.name,
        category=category,
        file_name=notebook.file_name,
        title=notebook.title,
        prefix=f"{notebook.path.parent.name}/{began:%Y/%m}/{run_id}/",
        began=began,
        lineage=run_id,
        parameters=parameters,
        requested_by=requested_by,
    )


class Run:
    """One run. A drill needs the database that it measures; a runbook goes on without one."""

    def __init__(
        self,
        engine: Engine,
        settings: Settings,
        notebook: Notebook,
        note: Note,
        *,
        progress: Progress,
        confirmed: str = "",
        patience: float = 0.0,
    ) -> None:
        self.engine, self.settings, self.notebook, self.note = engine, settings, notebook, note
        self.progress, self.confirmed, self.earlier = progress, confirmed, settings
        self.patience = patience
        self.in_files = secret_files.held_in_files(settings)
        self.waiting: Pending | None = None
        self.shown = ""

    @property
    def journal(self) -> Journal:
        return journal_of(self.settings, self.note.lineage, self.note.run_id)

    @property
    def is_drill(self) -> bool:
        return self.note.category == DRILL

    def go(
        self,
        prepare: Callable[[], tuple[Backup, dict[str, Any]]] | None = None,
        *,
        check: Callable[[], None] | None = None,
    ) -> DrillResult:
        """Run it.

        Args:
            prepare: gives the backup that a drill is about, and the parameters that go with it.
            check: refuses under the lock, before anything begins.

        Raises:
            Conflict: another drill or runbook is running.
            OperationalError, Unavailable: a drill without a database or a store.
        """
        if reserve.give_up_if_full(self.settings):
            self.progress("the disk is full: going on in the space that was kept for that")
        with one_at_a_time(
            self.engine, self.settings, need_database=self.is_drill, patience=self.patience
        ) as held:
            self._make_ready(held)
            if check:
                check()
            if prepare:
                backup, more = prepare()
                parameters = {**self.note.parameters, **more}
                self.note = replace(self.note, backup_id=backup.id, parameters=parameters)
            folder = scratch.make_folder(self.settings, str(self.note.run_id))
            try:
                self._begin(folder, held)
                return self._finish(self._execute(folder), _found(folder), held)
            except BaseException as error:
                self._fail(error)
                raise
            finally:
                scratch.remove(folder)

    def _make_ready(self, held: Held) -> None:
        """The buckets, and an end to whatever a killed run left."""
        try:
            ObjectStorage(self.settings).ensure_buckets()
        except LeitstandError as error:
            if self.is_drill:
                raise
            self.progress(f"going on without the object store: {error.message}")
        scratch.remove_leftovers(self.settings)
        if not held.database:
            self.progress(f"going on without the catalogue: {NO_DATABASE}")
            return
        adopt_all(self.engine, self.settings, progress=self.progress)
        self._in_catalogue(records.end_left_running)

    def _begin(self, folder: Path, held: Held) -> None:
        self.waiting = pending.begin(self.settings, self.note)
        point_to(folder, self.journal)
        if self.confirmed:
            (folder / CONFIRMED).write_text(self.confirmed)
        if held.database:
            # The source is measured before our own row is written to it.
            self._measure(folder)
            self._in_catalogue(lambda session: records.begin(session, self.note))
        log.info("run started", drill=str(self.note.run_id), name=self.note.name)

    def _measure(self, folder: Path) -> None:
        try:
            (folder / POINT).write_text(json.dumps(measure(self.engine).to_dict()))
        except SQLAlchemyError:
            if self.is_drill:
                raise

    def _in_catalogue(self, work: Callable[..., object]) -> None:
        """Write to the catalogue; a runbook goes on where that does not work, for it may be there to repair just that."""
        try:
            with transaction(self.engine) as session:
                work(session)
        except SQLAlchemyError as error:
            if self.is_drill:
                raise
            self.progress(f"going on without the catalogue: {NO_DATABASE} ({type(error).__name__})")

    def _execute(self, folder: Path) -> Executed:
        """Run it. A notebook may rotate the very secrets that its evidence is then archived with."""
        values = dict(self.note.parameters)
        names = declared(documents.read(self.notebook.path))
        given = {RUN_ID: str(self.note.run_id), "backup_id": str(self.note.backup_id or "")}
        values |= {name: value for name, value in given.items() if name in names and value}
        try:
            return execute(
                self.settings,
                self.notebook,
                values,
                folder,
                progress=self.progress,
                on_cell=self._tell,
            )
        finally:
            self.settings = secret_files.reread(self.settings, self.in_files)
            if self.settings is not self.earlier:
                self.engine = make_engine(
                    self.settings, statement_timeout_ms=0, application="leitstand-drill"
                )

    def _tell(self, reached: Reached) -> None:
        """Keep where it is and what it showed in the row, for the page; the run does not wait for it."""
        shown = f"{self.shown}\n{reached.output}".strip()[-FOLLOWED:]
        self.shown = shown
        progress = {**asdict(reached), "output": shown, "at": datetime.now(UTC).isoformat()}
        cleaned = Redactor(self.settings, self.earlier).cleaned(progress)
        with suppress(SQLAlchemyError), transaction(self.engine) as session:
            records.tell(session, self.note.run_id, cleaned)

    def _finish(self, executed: Executed, found: dict[str, Any], held: Held) -> DrillResult:
        """Keep what was found on this machine, then archive it: nothing is lost whatever happens between."""
        self.progress("archiving the evidence")
        parts = archiving.written(executed.notebook, self.notebook.title, self.settings, self.earlier)
        record = self._record(executed, found, parts.secrets)
        if self.is_drill:
            held.check()
        if self.waiting is None:
            raise AssertionError("a run finishes that never began")
        self.waiting.keep(record, notebook=parts.notebook, html=parts.html)
        delivered = deliver(self.engine, self.settings, self.waiting)
        if not record["error"]:
            self.journal.remove()
        result = self._result(record, delivered)
        log.info("run ended", drill=str(self.note.run_id), ok=result.ok, error=result.error)
        return result

    def _record(self, executed: Executed, found: dict[str, Any], secrets: list[str]) -> dict[str, Any]:
        failed = [
            f"{check['name']}: {check['detail']}"
            for check in found["checks"]
            if check["verdict"] == records.FAILED
        ]
        unfinished = self.note.backup_id and "ended_at" not in found["figures"]
        printed = [f"a secret was printed: {finding}" for finding in secrets]
        why = executed.error or ("it did not come to its verdict" if unfinished else "")
        record = {
            **self.note.to_dict(),
            "finished": datetime.now(UTC).isoformat(),
            "application_version": __version__,
            "error": "; ".join(filter(None, [*printed, *failed, why])),
            "confirmed": bool(self.confirmed),
            "secrets": secrets,
            "journal": self.journal.entries(),
            **found,
        }
        cleaned: dict[str, Any] = Redactor(self.settings, self.earlier).cleaned(record)
        return cleaned

    def _result(self, record: dict[str, Any], delivered: Delivered) -> DrillResult:
        """A drill whose evidence is not archived proves nothing; a runbook's waits on this machine, and that is said."""
        figures, link = record["figures"], delivered.link
        local = "" if self.waiting is None else str(self.waiting.folder)
        unproven = f"the evidence waits in {local}: {delivered.waiting}" if delivered.waiting else ""
        error = "; ".join(filter(None, [record["error"], unproven if self.is_drill else ""]))
        content = link.content if link else {}
        place = archiving.place_of(record, self.settings, "") if delivered.stored else ""
        return DrillResult(
            ok=not error,
            drill_id=self.note.run_id,
            name=self.note.name,
            backup_id=self.note.backup_id,
            rpo_seconds=figures.get("rpo_seconds"),
            rto_seconds=figures.get("rto_seconds"),
            notebook=f"{place}ipynb" if place else f"{local}/{pending.NOTEBOOK}",
            html=f"{place}html" if place else f"{local}/{pending.HTML}",
            notebook_sha256=content.get("notebook_sha256", ""),
            html_sha256=content.get("html_sha256", ""),
            chain_sha256=link.sha256 if link else "",
            seconds=round((datetime.now(UTC) - self.note.began).total_seconds(), 3),
            error=error,
            checks=record["checks"],
            figures={**figures, "steps": record["steps"]},
            waiting=unproven,
        )

    def _fail(self, error: BaseException) -> None:
        """It ended without evidence: say so in the catalogue, or leave that to the next run."""
        reason = error.message if isinstance(error, LeitstandError) else type(error).__name__
        log.error("run failed", drill=str(self.note.run_id), reason=reason)
        waiting = self.waiting
        if waiting is None or waiting.record is not None:
            return
        status = records.FAILED if isinstance(error, Exception) else records.ended_status(self.note.category)
        try:
            with transaction(self.engine) as session:
                records.end(session, self.note, status=status, error=reason)
        except SQLAlchemyError:
            return
        waiting.remove()


def _found(folder: Path) -> dict[str, Any]:
    """What the notebook's steps found; a runbook may keep none."""
    try:
        found: dict[str, Any] = json.loads((folder / EVIDENCE).read_text())
    except (OSError, ValueError):
        return {"checks": [], "figures": {}, "steps": {}}
    return found
