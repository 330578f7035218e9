"""The steps of runbook rb050: a release does not come up or answers wrongly; another one is started in its place.

A release of the embedded environment is a checkout that runs on the data folder. The schema is never brought back: an earlier
release runs on a newer schema that only added, or not at all.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import SQLAlchemyError

from leitstand.db import migrate, schema_history
from leitstand.embedded import releases, stop, switching
from leitstand.embedded.environment import REPOSITORY, locate
from leitstand.embedded.smoke import smoke
from leitstand.embedded.state import status
from leitstand.errors import LeitstandError
from leitstand.runbooks.confirming import NOT_DONE, Confirmed, Plan, Step
from leitstand.runbooks.evidence import Evidence, facts, rows
from leitstand.runbooks.taking_up import EVIDENCE, SANDBOX, TakenUp, take_up
from leitstand.words import N_, msg

if TYPE_CHECKING:
    import pandas as pd

LINES_SHOWN, LINE_SHOWN = 8, 300
WRONG_STATES = ("failing", "restarting", "starting", "stopped")


class Told:
    """What stopping tells, kept as lines."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    @contextmanager
    def step(self, doing: str, done: str) -> Iterator[None]:
        """Keep what was done."""
        yield
        self.lines.append(done)

    def note(self, text: str, seconds: float | None = None) -> None:
        """Keep a line."""
        self.lines.append(text)


class FailedRelease(Confirmed):
    """One change from the release that runs to another one."""

    NAME = "failed-release"

    def __init__(self, work: TakenUp, given: dict[str, Any], *, dry_run: bool) -> None:
        super().__init__(work, Evidence(work.folder / EVIDENCE), dry_run=dry_run, given=given)
        self.settings = work.settings
        self.environment = locate(work.settings.data_dir, work.settings.port)
        self.wanted = releases.release(Path(given["checkout"] or REPOSITORY))
        self.given["checkout"] = str(self.wanted.folder)
        self.running = releases.running(self.environment)
        self.newer = releases.release(Path(given["failed"])) if given["failed"] else self.running
        # A run that is repeated after the stop no longer sees what ran.
        self.given["failed"] = str(self.newer.folder) if self.newer else ""
        self.variables = releases.variables_of(self.environment)
        self.revision: str | None = None
        self.assumed = False

    @classmethod
    def begin(
        cls,
        *,
        run_id: str = SANDBOX,
        checkout: str = "",
        failed: str = "",
        accept_schema: str = "",
        dry_run: bool = True,
    ) -> "FailedRelease":
        """Take up the work.

        Args:
            checkout: folder of the release that is to run; empty: the one from which this is started.
            failed: folder of the release that failed, where none runs any more; its migrations are read.
            accept_schema: revision of the database on which the earlier release is to run although a migration did more
                than add; for who has read that migration.

        Raises:
            NotFound: a folder holds no release.
        """
        given = {"checkout": checkout, "failed": failed, "accept_schema": accept_schema}
        return cls(take_up(run_id), given, dry_run=dry_run)

    # --- looking ---

    def identity(self) -> "pd.DataFrame":
        """Which environment, which release runs, and which one is to run."""
        self.evidence.figures |= {"running": str(self.running or ""), "wanted": str(self.wanted)}
        self.evidence.save()
        return facts(
            {
                "environment": f"{self.settings.environment}, {self.environment.data_dir}",
                "mode": "dry run: nothing is changed" if self.dry_run else "REAL RUN",
                "runs now": self.running or "nothing, or nobody supervises it",
                "is to run": self.wanted,
                "address": self.environment.base_url,
            }
        )

    def situation(self) -> "pd.DataFrame":
        """Every service, and the end of the log of those that are not well."""
        found = status(self.environment)
        table = [{"service": one.name, "state": one.state, "says": one.detail} for one in found.services]
        wrong = [one.name for one in found.services if one.state in WRONG_STATES]
        for name in wrong if self.running else []:
            table += [{"service": name, "state": "log", "says": line} for line in self._log_end(name)]
        self.evidence.figures["not_well"] = wrong
        return rows(table, ["service", "state", "says"])

    def tried(self) -> "pd.DataFrame":
        """What the release that runs answers."""
        table = [
            {"tried": one.name, "well": "yes" if one.ok else "NO", "says": one.detail}
            for one in smoke(self.environment)
        ]
        return rows(table, ["tried", "well", "says"])

    def schema(self) -> "pd.DataFrame":
        """Where the database's schema stands, and what each migration did that the wanted release does not know."""
        self.revision = self._revision()
        if self.revision is None and self.newer:
            self.revision, self.assumed = schema_history.history(self.newer.folder)[-1].revision, True
        says = (
            "assumed: the database does not answer, and this is the newest of"
            if self.assumed
            else "where the database is"
        )
        known = schema_history.history(self.wanted.folder)
        table = [
            {
                "migration": self.revision or "unknown",
                "does": f"{says} {self.newer if self.assumed else ''}".strip(),
            },
            {"migration": known[-1].revision, "does": f"the newest that {self.wanted.folder.name} knows"},
        ]
        for one in self._unknown():
            table += (
                [{"migration": one.revision, "does": "only adds: " + one.title}] if not one.narrows else []
            )
            table += [{"migration": one.revision, "does": f"MORE THAN ADDS: {what}"} for what in one.narrows]
        return rows(table, ["migration", "does"])

    # --- deciding ---

    def preconditions(self) -> "pd.DataFrame":
        """Whether the wanted release can run on this schema, and is ready to be started."""
        first = len(self.evidence.checks)
        same = self.running is not None and self.running.folder == self.wanted.folder
        if same and self.dry_run:
            self.evidence.skip(
                "another release is wanted than runs", "it runs already: a real run would start it again"
            )
        possible, why = self._fits()
        self._needed("the wanted release can run on this schema", possible, why)
        packages = (self.wanted.folder / ".venv" / "bin" / "python").exists()
        self._needed(
            "its packages are installed",
            packages,
            "yes" if packages else "run ./run status in its folder once",
        )
        return self.evidence.table(first)

    def plan(self) -> "pd.DataFrame":
        """What is stopped and started; the hash is what the real run asks for."""
        ahead = [one.revision for one in self._unknown()]
        steps = [
            Step("stop", str(self.environment.data_dir), "nobody is served until the other release is up"),
            Step("start", str(self.wanted), "about a minute; jobs that ran go back into the queue"),
            Step("try", self.environment.base_url, "every service, the sign-in page, an answer of the API"),
        ]
        if ahead:
            steps.insert(1, Step("accept schema", ahead[-1], "the release starts on it and does not migrate"))
        return self.show_plan(Plan(self.settings.environment, tuple(steps)))

    # --- doing ---

    def carry_out(self) -> "pd.DataFrame":
        """Stop what runs and start the wanted release. Repeating it starts again."""
        if not self.for_real:
            return facts(NOT_DONE)
        switching.refuse_inside(self.environment)
        told = Told()
        with self.evidence.step("rollback"):
            if self._unknown() and self.revision:
                self.environment.remember(**{releases.ACCEPTED: self.revision})
            self.work.engine.dispose()
            stop.down(self.environment, told)
            try:
                told.lines += releases.start(
                    self.wanted, self.environment, _variables() | self.variables
                ).splitlines()
                started, why = True, f"{self.wanted}"
            except LeitstandError as error:
                started, why = False, f"{error.message} {error.hint}"
        self.evidence.figures["rollback_seconds"] = self.evidence.steps["rollback"]
        self.evidence.check("the wanted release is up", started, why)
        lines = [line.strip() for line in told.lines if line.strip()]
        return rows(
            [{"step": number, "said": line} for number, line in enumerate(lines, 1)], ["step", "said"]
        )

    def check(self) -> "pd.DataFrame":
        """Try everything on what runs now."""
        if not self.for_real:
            return facts(NOT_DONE)
        first, now = len(self.evidence.checks), releases.running(self.environment)
        right = now is not None and now.folder == self.wanted.folder
        self.evidence.check("it is the wanted release that runs", right, now or N_("none"))
        for one in smoke(self.environment):
            self.evidence.check(one.name, one.ok, one.detail)
        after = self._revision()
        if not self.assumed:
            self.evidence.check(
                "the schema is not brought back", self._not_before(after), after or N_("unknown")
            )
        return self.evidence.table(first)

    def next_steps(self) -> "pd.DataFrame":
        """What is left to a person, and the way back."""
        back = self.running.folder if self.running else "the folder of the other release"
        return facts(
            {
                "1": "sign in, open a companion and a dashboard; ask whoever reported it to look",
                "2": "keep the failed checkout and its logs as they are, for whoever mends it; deploy nothing meanwhile",
                "way back, or forward again": f"in {back}: leitstand runbook run failed-release",
                "neither release comes up": "./run logs NAME says why; full disk, a stuck migration and a slow database have runbooks of their own",
                "the schema does not fit": "mend forward: a new release with the mistake corrected. Only when data was damaged: restore to before the release, by rb010; what was written since is lost",
            }
        )

    # --- inside ---

    def _revision(self) -> str | None:
        try:
            return migrate.current(self.work.engine)
        except SQLAlchemyError:
            return None

    def _not_before(self, after: str | None) -> bool:
        """A release that is newer than the schema migrates it forward when it starts."""
        if self._unknown():
            return after == self.revision
        return after in {self.revision, schema_history.history(self.wanted.folder)[-1].revision}

    def _unknown(self) -> list[schema_history.Migration]:
        """The migrations in the database that the wanted release does not have, as the failed one tells them."""
        known = schema_history.history(self.wanted.folder)
        if self.revision is None or self.revision in {"", *(one.revision for one in known)}:
            return []
        newer = schema_history.history(self.newer.folder) if self.newer else []
        return schema_history.since(newer, known[-1].revision) or [
            schema_history.Migration(
                self.revision, "", "unknown", ("its file is not known: give -p failed=FOLDER",)
            )
        ]

    def _fits(self) -> tuple[bool, str]:
        """Whether it can run on the database's schema, and why."""
        if self.revision is None:
            return (
                False,
                "the database does not answer, and nobody knows which release ran: give -p failed=FOLDER",
            )
        unknown = self._unknown()
        if not unknown:
            return True, "it knows the schema and migrates nothing back"
        if not self.wanted.accepts_newer_schema():
            return (
                False,
                "it is too old to start on a newer schema: go forward, or restore to before the release (rb010)",
            )
        narrowing = [one.revision for one in unknown if one.narrows]
        if not narrowing:
            return True, f"{len(unknown)} newer migrations only add"
        if self.given["accept_schema"] == self.revision:
            return True, f"accepted by a person: {', '.join(narrowing)}"
        return False, (
            f"{', '.join(narrowing)} did more than add. Read them: if the earlier release can live with it, give"
            f" -p accept_schema={self.revision}; else go forward, or restore to before the release (rb010)"
        )

    def _needed(self, name: str, passed: bool, why: str) -> None:
        """In a dry run something to know; a real run is refused without."""
        if passed or not self.dry_run:
            self.evidence.check(name, passed, why)
        else:
            self.evidence.skip(name, msg("NO: {why}", why=why))

    def _log_end(self, name: str) -> list[str]:
        try:
            lines = self.environment.log_of(name).read_text(errors="replace").splitlines()
        except OSError:
            return []
        said = [line.strip()[:LINE_SHOWN] for line in lines if any(one.isalnum() for one in line)]
        return said[-LINES_SHOWN:]


def _variables() -> dict[str, str]:
    """This process's environment without the notebook's own, whose settings are all written out."""
    own = ("LEITSTAND_", "JUPYTER", "IPYTHON", "PYDEVD_", "PREFECT_")
    return {name: value for name, value in os.environ.items() if not name.startswith(own)}
