"""The catalogue, opened to be looked at in a notebook: tables of backups, runs and what is wrong; nothing can be written."""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from leitstand.backups.catalogue import list_backups
from leitstand.backups.conditions import conditions, current_window
from leitstand.db.engine import make_engine
from leitstand.runbooks.evidence import listed
from leitstand.runbooks.library import DRILLS, RUNBOOKS, notebooks
from leitstand.runbooks.runs import list_runs
from leitstand.settings import Settings, get_settings

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True)
class Catalogue:
    """Each table is a DataFrame, newest or worst first; a table of nothing says so."""

    settings: Settings
    engine: Engine

    def notebooks(self) -> "pandas.DataFrame":
        """Runbooks and drills: number, the name that `leitstand runbook run` takes, title, and where their copy is."""
        found = [
            {
                "number": one.number,
                "name": one.name,
                "title": one.short_title,
                "copy": f"{folder}/{one.path.name}",
            }
            for folder in (RUNBOOKS, DRILLS)
            for one in notebooks(self.settings, folder)
        ]
        return listed(found, ["number", "name", "title", "copy"], "none")

    def backups(self, limit: int = 20) -> "pandas.DataFrame":
        """Backups that are there."""
        with Session(self.engine) as session:
            found = [
                {
                    "id": str(row.id),
                    "kind": row.kind,
                    "engine": row.engine,
                    "status": row.status,
                    "finished": _written(row.finished_at),
                    "megabytes": f"{row.bytes / 1e6:,.1f}",
                    "proven": _written(row.verified_at) or "never",
                    "kept": "yes" if row.kept else "",
                }
                for row in list_backups(session, limit=limit, removed=False)
            ]
        columns = ["kind", "status", "finished", "megabytes", "proven", "kept", "engine", "id"]
        return listed(found, columns, "no backup yet")

    def runs(self, limit: int = 20) -> "pandas.DataFrame":
        """Runs of runbooks."""
        with Session(self.engine) as session:
            found = [
                {
                    "name": view.row.kind,
                    "status": view.status,
                    "started": _written(view.row.started_at),
                    "by": view.row.requested_by or "the schedule",
                    "signatures": str(len(view.signatures)),
                    "id": str(view.row.id),
                }
                for view in list_runs(session, limit=limit)
            ]
        return listed(found, ["name", "status", "started", "by", "signatures", "id"], "none yet")

    def conditions(self) -> "pandas.DataFrame":
        """All that is wrong now, and the way out."""
        with Session(self.engine) as session:
            found = [one.to_dict() for one in conditions(session, self.settings, fresh=True)]
        return listed(found, ["name", "says", "hint"], "nothing is wrong")

    def window(self) -> str:
        """Since when any second can be restored, in words."""
        with Session(self.engine) as session:
            since = current_window(session, self.settings).since
        if since is None:
            return "No second can be restored: there is no sound backup of PostgreSQL whose log is whole."
        return f"Any second since {_written(since)} can be restored."

    def reads_only(self) -> bool:
        """Whether the database refuses every write of this connection."""
        with Session(self.engine) as session:
            return bool(session.scalar(text("SELECT current_setting('transaction_read_only')::boolean")))


def open_catalogue() -> Catalogue:
    """The catalogue of the environment that the lab was started in."""
    settings = get_settings()
    return Catalogue(settings, make_engine(settings, application="leitstand-lab", read_only=True))


def _written(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC" if at else ""
