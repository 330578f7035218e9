"""Make a report: run its notebook, take out secrets, render HTML and PDF, archive all, and say how it went."""

import json
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from leitstand import __version__
from leitstand.backups.work import Progress
from leitstand.db.engine import transaction
from leitstand.db.exclusive import check_held, exclusive
from leitstand.db.models import Report, Workspace
from leitstand.db.models.base import new_id
from leitstand.errors import Conflict, LeitstandError, NotFound
from leitstand.jobs.failures import reason_of
from leitstand.reports.editions import COMPLETE, FAILED, HTML, NOTEBOOK, PDF, RUNNING, kind_of
from leitstand.reports.kinds import notebook_of
from leitstand.reports.pdf import Printed, to_pdf
from leitstand.reports.taking_up import FIGURES, PREFIX, folder_of
from leitstand.runbooks import documents, scratch
from leitstand.runbooks.archiving import HTML_TYPE, JSON_TYPE, NOTEBOOK_TYPE, without_secrets
from leitstand.runbooks.executor import Executed, execute
from leitstand.runbooks.render import to_html
from leitstand.settings import Settings
from leitstand.storage.objects import ObjectStorage
from leitstand.storage.types import Stored
from leitstand.telemetry.logs import get_logger
from leitstand.words import N_

CELL_SECONDS = 15 * 60
ERROR_SHOWN = 500
PDF_TYPE = "application/pdf"
STYLE = Path(__file__).with_name("report.css")

log = get_logger("reports")


@dataclass(frozen=True)
class Made:
    """How the making of a report went; `error` is empty when it is complete."""

    report_id: UUID
    status: str
    error: str
    html: str
    pdf: str
    without_pdf: str


def shown(error: str) -> str:
    """What readers are told of a notebook's failure: assertions and our own errors; of any other only its name.

    The text of another may hold what the database or a path said; it stands in the archived notebook.
    """
    name, colon, _ = error.partition(":")
    known = {"AssertionError", *(kind.__name__ for kind in LeitstandError.__subclasses__())}
    if not colon or name in known:
        return error[:ERROR_SHOWN]
    return f"{name} (the archived notebook says more)"


def make(engine: Engine, settings: Settings, report_id: UUID, *, progress: Progress | None = None) -> Made:
    """Make the report; one whose notebook fails is a result with the status "failed", archived as well.

    Raises:
        NotFound: there is no such report.
        Conflict: another process is making it.
    """
    ObjectStorage(settings).ensure_buckets()
    with exclusive(engine, f"report {report_id}") as lock:
        making = _Making(engine, settings, report_id, progress or (lambda _: None))
        try:
            executed = making.run()
            check_held(lock, f"report {report_id}")
            return making.finish(executed)
        except BaseException as error:
            making.fail(error)
            raise
        finally:
            making.clean_up()


class _Making:
    """One execution of one report; the lock is held around all of it."""

    def __init__(self, engine: Engine, settings: Settings, report_id: UUID, progress: Progress) -> None:
        self.engine, self.settings, self.report_id, self.told = engine, settings, report_id, progress
        self.attempt = new_id()
        self.folder = folder_of(settings, str(self.attempt))
        self.parameters = self._claim()

    def _claim(self) -> dict[str, object]:
        """Take the report: who holds the lock has it, so one that still counts as running was given up."""
        with transaction(self.engine) as session:
            report = session.get(Report, self.report_id, with_for_update=True)
            if report is None:
                raise NotFound("There is no such report.")
            self.kind = kind_of(report)
            self.notebook = notebook_of(self.settings, self.kind)
            report.status, report.attempt, report.attempts = RUNNING, self.attempt, report.attempts + 1
            report.started_at, report.finished_at, report.error = datetime.now(UTC), None, ""
            report.progress = "starting"
            slug = session.scalars(select(Workspace.slug).where(Workspace.id == report.workspace_id)).one()
            self.prefix = f"reports/{report.name}/{report.period_start:%Y/%m}/{report.id}/{self.attempt}/"
            start, zone = report.period_start.isoformat(), report.zone
        log.info("report started", report=str(self.report_id), name=self.kind.name)
        return {"run_id": str(self.attempt), "workspace": slug, "start": start, "zone": zone}

    def run(self) -> Executed:
        """Run the notebook in a folder of its own."""
        self._remove_leftovers()
        self.folder.mkdir(parents=True, mode=0o700)
        return execute(
            self.settings,
            self.notebook,
            self.parameters,
            self.folder,
            progress=self.tell,
            cell_seconds=CELL_SECONDS,
        )

    def finish(self, executed: Executed) -> Made:
        """Archive, then judge: what can't be read back is no report."""
        clean, secrets = without_secrets(executed.notebook, self.settings)
        error = "; ".join(
            filter(None, [*(f"a secret was printed: {one}" for one in secrets), shown(executed.error)])
        )
        self.tell("rendering")
        page = to_html(clean, self.kind.title, style=STYLE.read_text(encoding="utf-8"), code=False)
        printed = Printed(reason=N_("The report failed."))
        if not error:
            self.tell("printing the PDF")
            printed = to_pdf(page)
        self.tell("archiving")
        stored = self._store(documents.dumps(clean), page, printed.data)
        with transaction(self.engine) as session:
            report = self._mine(session)
            self._keep(report, stored, printed, self._figures() if not error else {}, error)
            made = Made(report.id, report.status, error, report.html, report.pdf, report.without_pdf)
        log.info("report ended", report=str(self.report_id), status=made.status, error=error)
        return made

    def _store(self, notebook: str, page: str, pdf: bytes) -> dict[str, Stored]:
        storage, bucket = ObjectStorage(self.settings), self.settings.bucket_evidence
        bodies = {
            NOTEBOOK: (notebook.encode(), NOTEBOOK_TYPE),
            HTML: (page.encode(), HTML_TYPE),
            PDF: (pdf, PDF_TYPE),
        }
        stored = {
            form: storage.put_bytes(bucket, f"{self.prefix}{self.kind.name}.{form}", body, media_type)
            for form, (body, media_type) in bodies.items()
            if body
        }
        record = {
            "report_id": str(self.report_id),
            "parameters": self.parameters,
            "application_version": __version__,
            "sha256": {form: one.sha256 for form, one in stored.items()},
        }
        storage.put_bytes(
            bucket, f"{self.prefix}record.json", json.dumps(record, indent=1).encode(), JSON_TYPE
        )
        return stored

    def _keep(
        self,
        report: Report,
        stored: dict[str, Stored],
        printed: Printed,
        figures: dict[str, Any],
        error: str,
    ) -> None:
        report.finished_at, report.progress, report.error = datetime.now(UTC), "", error
        report.status = FAILED if error else COMPLETE
        if error and report.html:
            return  # the edition before stays readable
        report.notebook, report.notebook_sha256 = stored[NOTEBOOK].address, stored[NOTEBOOK].sha256
        if error:
            return
        report.html, report.html_sha256 = stored[HTML].address, stored[HTML].sha256
        pdf = stored.get(PDF)
        report.pdf, report.pdf_sha256 = (pdf.address, pdf.sha256) if pdf else ("", "")
        report.without_pdf = printed.reason
        report.summary, report.as_of = figures, datetime.fromisoformat(figures["as_of"])

    def _figures(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / FIGURES).read_text())
        return found

    def _mine(self, session: Session) -> Report:
        report = session.get_one(Report, self.report_id, with_for_update=True)
        if report.attempt != self.attempt:
            raise Conflict("Another process has taken this report over.")
        return report

    def tell(self, line: str) -> None:
        """Say what is being done, also to who looks at the page."""
        self.told(line)
        with suppress(SQLAlchemyError), transaction(self.engine) as session:
            report = session.get(Report, self.report_id)
            if report is not None and report.attempt == self.attempt:
                report.progress = line

    def fail(self, error: BaseException) -> None:
        """Note why it ended, as far as people are shown it."""
        reason = reason_of(error)
        log.error("report failed", report=str(self.report_id), reason=reason)
        with suppress(SQLAlchemyError, Conflict), transaction(self.engine) as session:
            report = self._mine(session)
            report.status, report.finished_at, report.progress, report.error = (
                FAILED,
                datetime.now(UTC),
                "",
                reason,
            )

    def clean_up(self) -> None:
        """End what still runs in the folder, and remove it."""
        if self.folder.exists():
            scratch.remove(self.folder)

    def _remove_leftovers(self) -> None:
        """Remove what killed executions left: folders that no report which is being made calls its own."""
        root = scratch.scratch_root(self.settings).resolve()
        with transaction(self.engine) as session:
            alive = {
                f"{PREFIX}{one}"
                for one in session.scalars(select(Report.attempt).where(Report.status == RUNNING))
            }
        for folder in root.glob(f"{PREFIX}*"):
            if folder.name not in alive:
                with suppress(OSError):
                    scratch.remove(folder)
