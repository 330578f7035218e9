"""Runs of runbooks and drills as people look at them: how each stands, who signed it, and whether it can go on."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Text, cast, select, text
from sqlalchemy.orm import Session

from leitstand.db.exclusive import is_held
from leitstand.db.models import Drill, EvidenceLink
from leitstand.errors import NotFound
from leitstand.runbooks.chain import RUN, SIGNATURE, Link
from leitstand.runbooks.holding import LOCK
from leitstand.runbooks.pending import RUNBOOK
from leitstand.runbooks.records import FAILED, INTERRUPTED, PASSED, RUNNING, WAITING, ended_status
from leitstand.runbooks.results import public
from leitstand.words import msg

RESUMABLE = (INTERRUPTED, FAILED)
JOB = "operations.runbook"
QUEUED = text("""
    SELECT args ->> 'run_id' FROM procrastinate_jobs WHERE task_name = :name AND status IN ('todo', 'doing')
""")


@dataclass(frozen=True)
class RunView:
    """One run.

    Args:
        status: as it is now: a run whose process, or whose job in the queue, is gone is interrupted, though nobody has
            written that down yet.
        link: of its evidence; None while there is none.
        signatures: links, oldest first.
        resumed_by: the run that goes on with it.
    """

    row: Drill
    status: str
    link: Link | None
    signatures: list[Link]
    resumed_by: UUID | None

    @property
    def under_way(self) -> bool:
        return self.status in (WAITING, RUNNING)

    @property
    def real_parameters(self) -> dict[str, str]:
        """What the real run would be given; empty where this is no dry run that came to a plan."""
        given = self.row.figures.get("real_parameters") if self.status == PASSED else None
        return {str(name): str(value) for name, value in (given or {}).items()}

    @property
    def target(self) -> str:
        """The name that is typed to have its plan done for real."""
        return str((self.row.figures.get("plan") or {}).get("target", ""))

    @property
    def resumable(self) -> bool:
        return self.row.category == RUNBOOK and self.status in RESUMABLE and self.resumed_by is None

    def to_dict(self) -> dict[str, Any]:
        """The `--json` document."""
        return {
            **public(self.row),
            "status": self.status,
            "resumable": self.resumable,
            "resumed_by": str(self.resumed_by) if self.resumed_by else None,
            "link": self.link.to_dict() if self.link else None,
            "signatures": [{**link.content, "sha256": link.sha256} for link in self.signatures],
        }


def find_run(session: Session, run_id: UUID | str) -> Drill:
    """One run by its id, or by a beginning of the id that only one has.

    Raises:
        NotFound: there is none.
    """
    wanted = str(run_id).lower()
    found: Sequence[Drill] = []
    if wanted and all(character in "0123456789abcdef-" for character in wanted):
        found = session.scalars(select(Drill).where(cast(Drill.id, Text).startswith(wanted)).limit(2)).all()
    if len(found) != 1:
        raise NotFound(
            msg("More than one run has the id {wanted!r}.", wanted=wanted)
            if found
            else msg("No run has the id {wanted!r}.", wanted=wanted),
            hint="`leitstand runbook runs` shows them.",
        )
    return found[0]


def view(session: Session, run_id: UUID | str) -> RunView:
    """One run.

    Raises:
        NotFound: there is none.
    """
    return _views(session, [find_run(session, run_id)])[0]


def list_runs(session: Session, *, name: str = "", limit: int = 20) -> list[RunView]:
    """Runs of runbooks, newest first; with `name` those of one."""
    query = select(Drill).where(Drill.category == RUNBOOK)
    if name:
        query = query.where(Drill.kind == name)
    rows = session.scalars(query.order_by(Drill.started_at.desc(), Drill.id.desc()).limit(limit))
    return _views(session, list(rows))


def is_under_way(session: Session, name: str) -> bool:
    """Whether a run of this runbook waits or runs now."""
    begun = select(Drill).where(Drill.kind == name, Drill.status.in_((WAITING, RUNNING)))
    return any(run.under_way for run in _views(session, list(session.scalars(begun))))


def _views(session: Session, rows: list[Drill]) -> list[RunView]:
    ids = [row.id for row in rows]
    at_work = is_held(session, LOCK)
    waits = any(row.status == WAITING for row in rows)
    queued = set(session.scalars(QUEUED, {"name": JOB})) if waits else set()
    query = select(Drill.resumed_from, Drill.id).where(Drill.resumed_from.in_(ids)).order_by(Drill.started_at)
    resumed = dict(session.execute(query).tuples().all())
    links = _links(session, ids)
    return [
        RunView(
            row,
            _status(row, at_work=at_work, queued=queued),
            next((link for link in links[row.id] if link.kind == RUN), None),
            [link for link in links[row.id] if link.kind == SIGNATURE],
            resumed.get(row.id),
        )
        for row in rows
    ]


def _status(row: Drill, *, at_work: bool, queued: set[str]) -> str:
    gone = (row.status == RUNNING and not at_work) or (row.status == WAITING and str(row.id) not in queued)
    return ended_status(row.category) if gone else row.status


def _links(session: Session, ids: list[UUID]) -> Mapping[UUID, list[Link]]:
    """The links of each run, oldest first."""
    wanted = select(EvidenceLink).where(EvidenceLink.run_id.in_(ids)).order_by(EvidenceLink.sequence)
    found: defaultdict[UUID, list[Link]] = defaultdict(list)
    for row in session.scalars(wanted):
        found[row.run_id].append(Link.of_row(row))
    return found
