"""The steps of runbook rb090: the queue or the ingestion is stuck. It looks, and, confirmed, clears the way."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from leitstand.db.engine import transaction
from leitstand.db.models import FactChange, FactCopy, Workspace
from leitstand.embedded import switching
from leitstand.embedded.environment import locate
from leitstand.embedded.restarting import start_again
from leitstand.embedded.supervisor import Supervisor
from leitstand.errors import Conflict, InvalidInput
from leitstand.events import inbox, stuck
from leitstand.identity import audit
from leitstand.insights.copy.copier import copy_facts
from leitstand.jobs import mending
from leitstand.jobs.listing import list_jobs, queue_figures, retry_job
from leitstand.jobs.recovery import requeue_stalled
from leitstand.runbooks.confirming import NOT_DONE, Confirmed, Plan, Step
from leitstand.runbooks.evidence import Evidence, facts, rows
from leitstand.runbooks.taking_up import EVIDENCE, SANDBOX, TakenUp, take_up
from leitstand.services import WORKER
from leitstand.words import N_, msg

if TYPE_CHECKING:
    import pandas as pd
    from sqlalchemy.orm import Session

CANCEL, RESTART, RELEASE, RETRY, TAKE_IN, COPY = (
    "cancel", "start again", "release", "retry", "take in", "copy",
)  # fmt: skip
EFFECTS = {
    CANCEL: "it is never run again; what it had done stays done",
    RESTART: "jobs that run get 20 s to end, then go back into the queue; those that were cancelled end for good",
    RELEASE: "it is run again from its start, which every job can be",
    RETRY: "one more attempt; mend the reason first, or it fails again",
    TAKE_IN: "imported, or put away under failed/ with the reason",
    COPY: "dashboards read the copy; meanwhile they read what it lacks from the database",
}
DEAD, FAILED = "dead", "failed"
SHOWN = 30
PATIENCE_SECONDS, POLL_SECONDS = 180.0, 0.5


class StuckQueue(Confirmed):
    """One look at queue and ingestion, and what was decided about them."""

    NAME = "queue-or-ingestion-stuck"

    def __init__(self, work: TakenUp, given: dict[str, Any], *, dry_run: bool) -> None:
        super().__init__(work, Evidence(work.folder / EVIDENCE), dry_run=dry_run, given=given)
        self.engine, self.settings = work.engine, work.settings
        self.environment = locate(work.settings.data_dir, work.settings.port)
        self.slow = 60.0 * float(given["slow_minutes"])
        self.chosen: dict[str, list[int]] = {}
        self.actor = f"runbook {self.NAME}"

    @classmethod
    def begin(
        cls,
        *,
        run_id: str = SANDBOX,
        release: str = DEAD,
        retry: str = "",
        cancel: str = "",
        restart_worker: bool = False,
        take_in: bool = False,
        copy: bool = False,
        slow_minutes: int = 15,
        dry_run: bool = True,
    ) -> "StuckQueue":
        """Take up the work.

        Args:
            release: numbers of jobs of dead workers that are given back, or `dead`: all of them.
            retry: numbers of failed jobs, or `failed`: all of them.
            cancel: numbers of jobs that are not to run any more.
            restart_worker: end the worker in order and start it again.
            take_in: import what lies in the inbox.
            copy: bring the copies of the facts up to date.
            slow_minutes: from when on a running job is pointed out.
        """
        given: dict[str, Any] = {"release": release, "retry": retry, "cancel": cancel}
        given |= {"restart_worker": restart_worker, "take_in": take_in, "copy": copy}
        return cls(take_up(run_id), given | {"slow_minutes": slow_minutes}, dry_run=dry_run)

    # --- looking ---

    def situation(self) -> "pd.DataFrame":
        """How many jobs wait, run and have failed, how old they are, and whether a worker lives."""
        with transaction(self.engine) as session:
            figures, known = queue_figures(session), mending.workers(session)
            kinds = mending.kinds(session)
        alive = [worker for worker in known if worker.alive]
        self.evidence.figures["before"] = {"waiting": figures.waiting, "failed": figures.failed}
        self.evidence.save()
        head = {
            f"ENVIRONMENT {self.settings.environment}": str(self.settings.data_dir),
            "mode": "dry run: nothing is changed" if self.dry_run else "REAL RUN",
            "queue": f"{figures.waiting} waiting, {figures.running} running, {figures.failed} failed",
            "the oldest that could run has waited": f"{figures.oldest_seconds:.0f} s",
            "workers": f"{len(alive)} alive, {len(known) - len(alive)} silent",
            "worker's supervisor": self._supervised(),
        }
        for kind in kinds:
            head[f"{kind.status}: {kind.name}"] = f"{kind.jobs}, oldest {kind.oldest_seconds / 60:.0f} min"
        return facts(head)

    def running(self) -> "pd.DataFrame":
        """The jobs that workers have: those of dead workers, and those that hold up others."""
        with transaction(self.engine) as session:
            found = mending.running_jobs(session)
        table = [
            {
                "job": one.id,
                "name": one.name,
                "runs for": f"{one.seconds / 60:.1f} min",
                "attempt": one.attempts + 1,
                "holds up": one.holds_up,
                "so": self._judged(one),
            }
            for one in found[:SHOWN]
        ]
        return _jobs(table, ["job", "name", "runs for", "attempt", "holds up", "so"])

    def failed(self) -> "pd.DataFrame":
        """The newest failed jobs, with why their last attempt failed."""
        with transaction(self.engine) as session:
            found = list_jobs(session, status="failed", limit=SHOWN)
        table = [
            {"job": one.id, "name": one.name, "attempts": one.attempts, "why": one.reason} for one in found
        ]
        return _jobs(table, ["job", "name", "attempts", "why"])

    def ingestion(self) -> "pd.DataFrame":
        """The inbox, imports that stopped, and the copies of the facts."""
        waiting, failed = stuck.waiting_files(self.settings), stuck.failed_files(self.settings)
        with transaction(self.engine) as session:
            stopped, behind = stuck.stopped_imports(session), _copies_behind(session)
        found = {
            "files in the inbox": ", ".join(f"{path.parent.name}/{path.name}" for path in waiting) or "none",
            "put away as failed": f"{len(failed)}; a report lies beside each" if failed else "none",
            "copies of the facts that are behind": ", ".join(behind) or "none",
        }
        for one in stopped[:SHOWN]:
            found[f"import that stopped: {one.workspace}/{one.file}"] = (
                f"after line {one.lines_done:,}; import the same file again: it goes on there"
            )
        return facts(found)

    # --- deciding ---

    def preconditions(self) -> "pd.DataFrame":
        """Every job that was chosen is there and in a state in which that can be done to it."""
        first = len(self.evidence.checks)
        self._choose()
        with transaction(self.engine) as session:
            for action, numbers in self.chosen.items():
                for number in numbers:
                    job = mending.find_job(session, number)
                    wrong = job.status in WRONG[action]
                    self.evidence.check(
                        f"{action} {number}",
                        not wrong,
                        msg("{name} is {status}", name=job.name, status=job.status),
                    )
        alive = self._worker_alive()
        if self.given["restart_worker"] and self._supervised() != "runs":
            self.evidence.check("a supervisor can start the worker", False, "none runs: start with ./run up")
        elif not alive and not self.given["restart_worker"]:
            self.evidence.skip("a worker is alive", "none is: add -p restart_worker=true")
        else:
            self.evidence.check("a worker is alive or will be", True, "yes")
        return self.evidence.table(first)

    def plan(self) -> "pd.DataFrame":
        """What was chosen, in the order in which it is done."""
        with transaction(self.engine) as session:
            named = {
                action: [f"job {number}: {mending.find_job(session, number).name}" for number in numbers]
                for action, numbers in self.chosen.items()
            }
        named[RESTART] = [WORKER.name] if self.given["restart_worker"] else []
        named[TAKE_IN] = ["the inbox"] if self.given["take_in"] else []
        named[COPY] = ["the facts"] if self.given["copy"] else []
        steps = [Step(what, on, EFFECTS[what]) for what in EFFECTS for on in named[what]]
        # The worker may have been started again when an interrupted run is repeated: the plan stays the same.
        return self.show_plan(Plan(self.settings.environment, tuple(steps)))

    # --- doing ---

    def carry_out(self) -> "pd.DataFrame":
        """Do it, job by job; what is done already is passed over."""
        if not self.for_real:
            return facts(NOT_DONE)
        if self.given["restart_worker"]:
            switching.refuse_inside(self.environment)
        told: list[str] = []
        with self.evidence.step("mending"):
            self._each(CANCEL, mending.cancel_job, told)
            if self.given["restart_worker"]:
                start_again(self.environment, WORKER.name, told.append)
            self._each(RELEASE, lambda session, number: requeue_stalled(session, only=[number]), told)
            self._each(RETRY, retry_job, told)
            if self.given["take_in"]:
                told += [f"{one.file}: {one.summary}" for one in inbox.scan(self.engine, self.settings)]
            if self.given["copy"]:
                told += [
                    f"{one.workspace}: {one.rows:,} rows" for one in copy_facts(self.engine, self.settings)
                ]
        return rows([{"step": number, "done": line} for number, line in enumerate(told, 1)], ["step", "done"])

    def check(self) -> "pd.DataFrame":
        """Wait until the queue has drained; nothing may have run twice, and nothing that was cancelled may run."""
        if not self.for_real:
            return facts(NOT_DONE)
        first, numbers = len(self.evidence.checks), [*self.chosen[RELEASE], *self.chosen[RETRY]]
        drained = self._wait(numbers)
        self.evidence.check("a worker is alive", self._worker_alive(), "by its heartbeat in the queue")
        with transaction(self.engine) as session:
            ended = {number: mending.find_job(session, number).status for number in numbers}
            figures = queue_figures(session)
            twice = mending.succeeded_twice(session, numbers)
            cancelled = {number: mending.find_job(session, number).status for number in self.chosen[CANCEL]}
        said = ", ".join(f"{number} {status}" for number, status in ended.items())
        self.evidence.check(
            "the queue drains",
            drained,
            msg("{waiting} waiting, {running} running", waiting=figures.waiting, running=figures.running),
        )
        good = all(status == "succeeded" for status in ended.values())
        self.evidence.check("the chosen jobs have succeeded", good, said or N_("none was chosen"))
        self.evidence.check(
            "no job ran to its end twice", not twice, ", ".join(map(str, twice)) or N_("none")
        )
        gone = all(status in {"cancelled", "failed", "aborted"} for status in cancelled.values())
        says = ", ".join(f"{number} {status}" for number, status in cancelled.items()) or "none was chosen"
        self.evidence.check("what was cancelled does not run", gone, says)
        self.evidence.figures["after"] = {"waiting": figures.waiting, "failed": figures.failed}
        return self.evidence.table(first)

    def next_steps(self) -> "pd.DataFrame":
        """What is left to a person, and the way back."""
        return facts(
            {
                "a job fails again": "its reason is in the table of failed jobs; leitstand logs worker has more, under its request id",
                "a cancelled job is missed": "what it would have done is done again from the product: upload the document, ask for the report",
                "way back": "a job that was cancelled while it ran counts as failed: leitstand worker retry NUMBER",
                "an import that stopped": "leitstand events import FILE --workspace NAME, with the same file: it goes on where it stopped",
                "it is stuck again": "the same job each time: cancel it, and keep its arguments for whoever mends the code",
            }
        )

    # --- inside ---

    def _judged(self, one: mending.RunningJob) -> str:
        if one.orphaned:
            return "its worker is dead: release it"
        if one.cancelled:
            return "cancelled: it ends with its worker; start that again"
        if one.seconds > self.slow:
            return "long: cancel it and start the worker again, if it does not move"
        return "runs"

    def _choose(self) -> None:
        """The numbers, which a dry run hands over to the real run so that its plan stays the same."""
        with transaction(self.engine) as session:
            dead = [one.id for one in mending.running_jobs(session) if one.orphaned]
            failed = [one.id for one in list_jobs(session, status="failed", limit=1000)]
        self.chosen = {
            CANCEL: numbers_of(self.given["cancel"], {}),
            RELEASE: numbers_of(self.given["release"], {DEAD: dead}),
            RETRY: numbers_of(self.given["retry"], {FAILED: failed}),
        }
        self.chosen[RELEASE] = [one for one in self.chosen[RELEASE] if one not in self.chosen[CANCEL]]
        for action in (RELEASE, RETRY):
            self.given[action] = " ".join(map(str, self.chosen[action])) or "none"
        self.evidence.figures["given"] = self.given

    def _each(self, action: str, do: "Callable[[Session, int], object]", told: list[str]) -> None:
        """One transaction a job."""
        for number in self.chosen[action]:
            try:
                with transaction(self.engine) as session:
                    done = do(session, number)
                    audit.record_for_all(
                        session, actor=self.actor, action=f"job.{action}", target=f"job:{number}"
                    )
                told.append(f"{action} {number}: {done if isinstance(done, str) else 'done'}")
            except Conflict as error:
                told.append(f"{action} {number}: {error.message}")

    def _supervised(self) -> str:
        return "runs" if Supervisor(self.environment).running() else "does not run"

    def _worker_alive(self) -> bool:
        with transaction(self.engine) as session:
            return any(worker.alive for worker in mending.workers(session))

    def _wait(self, numbers: list[int]) -> bool:
        """Until nothing that could run waits, and the chosen jobs have ended."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            with transaction(self.engine) as session:
                waits = queue_figures(session).oldest_seconds > 0
                ended = all(mending.find_job(session, one).status in mending.ENDED for one in numbers)
            if ended and not waits and self._worker_alive():
                return True
            time.sleep(POLL_SECONDS)
        return False


# What a job must not be for an action; what an interrupted run has done already is passed over.
WRONG = {CANCEL: {"succeeded"}, RELEASE: {"cancelled"}, RETRY: {"cancelled"}}


def _jobs(table: list[dict[str, Any]], columns: list[str]) -> "pd.DataFrame":
    """Jobs as a table; that there are none is said."""
    return rows(table or [{**dict.fromkeys(columns, ""), "job": "none"}], columns)


def numbers_of(text: str, words: dict[str, list[int]]) -> list[int]:
    """Numbers that are separated by spaces or commas; a word stands for those that it names, `none` for none.

    Raises:
        InvalidInput: something else stands there.
    """
    text = str(text).strip()
    if text in {"", "none"}:
        return []
    if text in words:
        return words[text]
    found = text.replace(",", " ").split()
    if not all(one.isdigit() for one in found):
        known = " or ".join(["numbers", *words])
        raise InvalidInput(
            msg("{text!r} names no jobs.", text=text),
            hint=msg("Give {known}; leitstand worker jobs lists them.", known=known),
        )
    return [int(one) for one in found]


def _copies_behind(session: "Session") -> list[str]:
    """The workspaces whose facts changed after they were copied."""
    behind = (
        select(Workspace.slug, func.count(func.distinct(FactChange.day)))
        .join(FactCopy, FactCopy.workspace_id == Workspace.id)
        .join(FactChange, FactChange.workspace_id == Workspace.id)
        .where(FactChange.changed >= FactCopy.watermark)
        .group_by(Workspace.slug)
        .order_by(Workspace.slug)
    )
    return [f"{slug} ({days} days)" for slug, days in session.execute(behind)]
