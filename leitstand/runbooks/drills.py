"""Run a restore drill or a runbook: one at a time, in its own folder, its evidence archived, also when it fails."""

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, select
from sqlalchemy.exc import SQLAlchemyError

from leitstand.backups import entries, secret_files
from leitstand.backups.work import Progress
from leitstand.db.engine import make_engine, transaction
from leitstand.db.exclusive import check_held, exclusive
from leitstand.db.models import Backup, Drill
from leitstand.db.models.base import new_id
from leitstand.errors import InvalidInput, LeitstandError
from leitstand.runbooks import documents, scratch
from leitstand.runbooks.archiving import Archived, archive, last_chain
from leitstand.runbooks.executor import Executed, execute
from leitstand.runbooks.library import DRILLS, RUNBOOKS, Notebook, find
from leitstand.runbooks.parameters import checked, declared
from leitstand.runbooks.random_time import draw
from leitstand.runbooks.source_point import measure
from leitstand.runbooks.taking_up import CONFIRMED, EVIDENCE, LOCK, POINT, ensure_backup
from leitstand.settings import Settings
from leitstand.storage.objects import ObjectStorage
from leitstand.telemetry.logs import get_logger

RUN_ID = "run_id"
# The kinds of backup that a drill restores, where it is not PostgreSQL alone; its record names one of the last.
BACKUPS_OF = {
    "objects-sample": ("objects",),
    "secrets-decrypt": ("secrets",),
    "full-environment": ("secrets", "objects", "postgres"),
}
RANDOM_TIME = "postgres-random-time"
# Figure in which a drill that restored further backups names them.
ALSO_PROVEN = "also_proven"
PASSED, FAILED, RUNNING = "passed", "failed", "running"

log = get_logger("drills")


@dataclass(frozen=True)
class DrillResult:
    """How a drill or a runbook went.

    Args:
        ok: every cell ran, every check passed, no secret was printed, the evidence is archived.
        rpo_seconds: work that would have been lost; rto_seconds: until connections were accepted; None when it
            never came to that.
        notebook, html: s3:// addresses of the evidence.
        checks: name, verdict (passed, failed or skipped) and detail of each.
        error: why it failed, empty when it did not.
    """

    ok: bool
    drill_id: UUID
    name: str
    backup_id: UUID | None
    rpo_seconds: float | None
    rto_seconds: float | None
    notebook: str
    html: str
    notebook_sha256: str
    html_sha256: str
    chain_sha256: str
    seconds: float
    error: str
    checks: list[dict[str, Any]] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The `--json` document."""
        return {
            **asdict(self),
            "drill_id": str(self.drill_id),
            "backup_id": str(self.backup_id) if self.backup_id else None,
        }


def run_drill(
    engine: Engine, settings: Settings, name: str, *, progress: Progress | None = None
) -> DrillResult:
    """Rehearse the restore called `name` (as postgres-latest) on a backup of its kind; where there is none, one is taken first.

    A drill that proves nothing is a result with `ok` False, archived as well. The live service is never touched.

    Raises:
        NotFound: there is no such drill.
        Conflict: another drill is running.
    """
    notebook = find(settings, DRILLS, name)

    def prepare() -> tuple[Backup, dict[str, Any]]:
        if notebook.name == RANDOM_TIME:
            drawn = draw(engine, settings, progress=progress)
            return drawn.backup, drawn.parameters()
        kinds = BACKUPS_OF.get(notebook.name, ("postgres",))
        return [ensure_backup(engine, settings, kind, progress=progress) for kind in kinds][-1], {}

    return _Run(engine, settings, notebook, progress or (lambda _: None)).go({}, prepare)


def run_runbook(
    engine: Engine,
    settings: Settings,
    name: str,
    parameters: dict[str, object],
    *,
    confirmed: str = "",
    progress: Progress | None = None,
) -> DrillResult:
    """Execute a runbook with parameters and archive it.

    Args:
        confirmed: what was typed as the name of the target. A runbook that writes to what is running compares it;
            it is no parameter, so that none can be started from a kept list of parameters.

    Raises:
        NotFound: there is no such runbook.
        InvalidInput: it does not have such parameters.
        Conflict: a drill or another runbook is running.
    """
    notebook = find(settings, RUNBOOKS, name)
    values = checked(documents.read(notebook.path), parameters)
    if RUN_ID in parameters:
        raise InvalidInput(f"{RUN_ID} is given by the run itself.")
    run = _Run(engine, settings, notebook, progress or (lambda _: None), confirmed)
    return run.go(dict(values), None)


class _Run:
    """One execution of one notebook, from its row in the catalogue to its evidence."""

    def __init__(
        self,
        engine: Engine,
        settings: Settings,
        notebook: Notebook,
        progress: Progress,
        confirmed: str = "",
    ) -> None:
        self.engine, self.settings, self.notebook, self.progress = engine, settings, notebook, progress
        self.confirmed, self.earlier = confirmed, settings
        self.in_files = secret_files.held_in_files(settings)
        self.run_id = new_id()
        self.began = datetime.now(UTC)
        self.backup_id: UUID | None = None

    def go(
        self, parameters: dict[str, object], prepare: Callable[[], tuple[Backup, dict[str, Any]]] | None
    ) -> DrillResult:
        ObjectStorage(self.settings).ensure_buckets()
        with exclusive(self.engine, LOCK) as lock:
            self._tidy()
            if prepare:
                backup, more = prepare()
                self.backup_id = backup.id
                parameters |= {"backup_id": str(self.backup_id), **more}
            if RUN_ID in declared(documents.read(self.notebook.path)):
                parameters[RUN_ID] = str(self.run_id)
            folder = scratch.make_folder(self.settings, str(self.run_id))
            try:
                # The source is measured before our own row is written to it.
                (folder / POINT).write_text(json.dumps(measure(self.engine).to_dict()))
                if self.confirmed:
                    (folder / CONFIRMED).write_text(self.confirmed)
                self._insert()
                executed = self._execute(parameters, folder)
                evidence = _evidence(folder)
                check_held(lock, LOCK)
                return self._finish(executed, evidence)
            except BaseException as error:
                self._fail(error)
                raise
            finally:
                scratch.remove(folder)

    def _execute(self, parameters: dict[str, object], folder: Path) -> Executed:
        """Run it. A notebook may rotate the very secrets that its evidence is then archived with."""
        try:
            return execute(self.settings, self.notebook, parameters, folder, progress=self.progress)
        finally:
            self.settings = secret_files.reread(self.settings, self.in_files)
            if self.settings is not self.earlier:
                self.engine = make_engine(
                    self.settings, statement_timeout_ms=0, application="leitstand-drill"
                )

    def _tidy(self) -> None:
        """Who holds the lock knows: a run that is still called running was killed."""
        scratch.remove_leftovers(self.settings)
        with transaction(self.engine) as session:
            for drill in session.scalars(select(Drill).where(Drill.status == RUNNING)):
                log.error("drill marked failed", drill=str(drill.id), reason="its process ended")
                drill.status, drill.finished_at = FAILED, datetime.now(UTC)
                drill.error = "The process that ran it ended before it was complete."

    def _insert(self) -> None:
        with transaction(self.engine) as session:
            session.add(
                Drill(
                    id=self.run_id, kind=self.notebook.name, backup_id=self.backup_id, started_at=self.began
                )
            )
        log.info("drill started", drill=str(self.run_id), name=self.notebook.name)

    def _finish(self, executed: Executed, evidence: dict[str, Any]) -> DrillResult:
        """Archive, then judge: without archived evidence nothing is proven."""
        self.progress("archiving the evidence")
        failed = [
            f"{check['name']}: {check['detail']}"
            for check in evidence["checks"]
            if check["verdict"] == FAILED
        ]
        with transaction(self.engine) as session:
            previous = last_chain(session)
        record = {
            "kind": self.notebook.name,
            "backup_id": str(self.backup_id or ""),
            "error": executed.error,
            **evidence,
        }
        archived = archive(
            self.settings,
            self.notebook,
            executed.notebook,
            run_id=str(self.run_id),
            previous=previous,
            record=record,
            earlier=self.earlier,
        )
        secrets = [f"a secret was printed: {finding}" for finding in archived.secrets]
        unfinished = (
            "it did not come to its verdict"
            if self.backup_id and "ended_at" not in evidence["figures"]
            else ""
        )
        error = "; ".join(filter(None, [*secrets, *failed, executed.error or unfinished]))
        result = self._result(error, archived, evidence)
        self._keep(result)
        log.info(
            "drill ended",
            drill=str(self.run_id),
            ok=result.ok,
            rpo=result.rpo_seconds,
            rto=result.rto_seconds,
            error=error,
        )
        return result

    def _result(self, error: str, archived: Archived, evidence: dict[str, Any]) -> DrillResult:
        figures = evidence["figures"]
        return DrillResult(
            ok=not error,
            drill_id=self.run_id,
            name=self.notebook.name,
            backup_id=self.backup_id,
            rpo_seconds=figures.get("rpo_seconds"),
            rto_seconds=figures.get("rto_seconds"),
            notebook=archived.notebook,
            html=archived.html,
            notebook_sha256=archived.notebook_sha256,
            html_sha256=archived.html_sha256,
            chain_sha256=archived.chain_sha256,
            seconds=round((datetime.now(UTC) - self.began).total_seconds(), 3),
            error=error,
            checks=evidence["checks"],
            figures={**figures, "steps": evidence["steps"]},
        )

    def _keep(self, result: DrillResult) -> None:
        """The row of the drill and, where it proved one, of the backup."""
        now = datetime.now(UTC)
        with transaction(self.engine) as session:
            drill = session.get_one(Drill, self.run_id)
            drill.status, drill.finished_at, drill.error = PASSED if result.ok else FAILED, now, result.error
            drill.rpo_seconds, drill.rto_seconds = result.rpo_seconds, result.rto_seconds
            drill.notebook, drill.html = result.notebook, result.html
            drill.notebook_sha256, drill.chain_sha256 = result.notebook_sha256, result.chain_sha256
            drill.figures = {**result.figures, "checks": result.checks, "html_sha256": result.html_sha256}
            ids = [self.backup_id, *map(UUID, result.figures.get(ALSO_PROVEN, []))] if result.ok else []
            proven = [session.get_one(Backup, one) for one in ids if one]
            for backup in proven:
                backup.verified_at = now
        for backup in proven:
            with suppress(LeitstandError):  # the next backup brings both catalogues together
                entries.store(ObjectStorage(self.settings), self.settings.bucket_backups, backup)

    def _fail(self, error: BaseException) -> None:
        reason = error.message if isinstance(error, LeitstandError) else type(error).__name__
        log.error("drill failed", drill=str(self.run_id), reason=reason)
        with suppress(SQLAlchemyError), transaction(self.engine) as session:
            drill = session.get(Drill, self.run_id)
            if drill is not None:
                drill.status, drill.finished_at, drill.error = FAILED, datetime.now(UTC), reason


def _evidence(folder: Path) -> dict[str, Any]:
    """What the notebook's steps found; a runbook may keep none."""
    try:
        found: dict[str, Any] = json.loads((folder / EVIDENCE).read_text())
    except (OSError, ValueError):
        return {"checks": [], "figures": {}, "steps": {}}
    return found


def public(drill: Drill) -> dict[str, Any]:
    """A drill of the catalogue as the `--json` documents show it."""
    return {
        "id": str(drill.id),
        "kind": drill.kind,
        "backup_id": str(drill.backup_id) if drill.backup_id else None,
        "status": drill.status,
        "started_at": drill.started_at.isoformat(),
        "finished_at": drill.finished_at.isoformat() if drill.finished_at else None,
        "rpo_seconds": drill.rpo_seconds,
        "rto_seconds": drill.rto_seconds,
        "notebook": drill.notebook,
        "html": drill.html,
        "notebook_sha256": drill.notebook_sha256,
        "chain_sha256": drill.chain_sha256,
        "figures": drill.figures,
        "error": drill.error,
    }
