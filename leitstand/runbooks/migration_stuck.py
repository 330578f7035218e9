"""The steps of runbook rb060: a migration that is stuck or failed; who holds it up, what it left, and how it goes on."""

from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from leitstand.db import migrate
from leitstand.db.migration_lock import LOCK_TIMEOUT, PATIENCE_SECONDS
from leitstand.runbooks import backends, migration_state
from leitstand.runbooks.backends import CANCEL, TERMINATE, Session
from leitstand.runbooks.confirming import NOT_DONE, Confirmed, Plan, Step, require_choice
from leitstand.runbooks.evidence import Evidence, facts, listed, rows
from leitstand.runbooks.migration_state import Comparison, Running
from leitstand.runbooks.taking_up import EVIDENCE, SANDBOX, TakenUp, take_up
from leitstand.words import N_, msg

if TYPE_CHECKING:
    import pandas as pd

DROP, REINDEX, MIGRATE = "drop index", "reindex", "migrate"
SHOWN = 40
INDEX_EFFECTS = {
    DROP: "nobody reads it; no migration that was run needs it",
    REINDEX: "it is built anew while people work; may take minutes",
}


class MigrationStuck(Confirmed):
    """One look at a migration that does not get through and, when it was confirmed, its end."""

    NAME = "migration-stuck-or-failed"

    def __init__(self, work: TakenUp, chosen: dict[str, list[str]], patience: int, *, dry_run: bool) -> None:
        super().__init__(work, Evidence(work.folder / EVIDENCE), dry_run=dry_run, given={})
        self.chosen, self.patience = chosen, patience
        self.engine, self.role = backends.reserved_engine(work.settings)
        self.revision, self.head = migrate.current(self.engine), migrate.head()
        self.found: list[Session] = []
        self.running = Running(0, ())
        self.invalid: list[dict[str, Any]] = []
        self.compared: Comparison | None = None
        self.planned = Plan("", ())

    @classmethod
    def begin(
        cls,
        *,
        run_id: str = SANDBOX,
        cancel: str = "",
        terminate: str = "",
        drop: str = "",
        reindex: str = "",
        go_on: bool = False,
        patience_seconds: int = 60,
        dry_run: bool = True,
    ) -> "MigrationStuck":
        """Take up the work; without a choice a dry run proposes one.

        Args:
            cancel, terminate: sessions as the dry run names them, separated by spaces.
            drop, reindex: invalid indexes as the dry run names them, separated by spaces.
            go_on: run the migrations that are left.
            patience_seconds: a transaction that is older and holds a lock on a table is proposed to be ended.

        Raises:
            InvalidInput: a real run without a choice, or what names no session.
            Unavailable: PostgreSQL takes no connection.
        """
        chosen = {CANCEL: cancel, TERMINATE: terminate, DROP: drop, REINDEX: reindex}
        lists = {**{what: names.split() for what, names in chosen.items()}, MIGRATE: [migrate.head()] * go_on}
        backends.steps_for(lists)
        require_choice(lists, dry_run=dry_run)
        return cls(take_up(run_id), lists, patience_seconds, dry_run=dry_run)

    # --- the steps ---

    def situation(self) -> "pd.DataFrame":
        """Where this runs, which revision the database is at, and who migrates now."""
        self.found, self.running = backends.sessions(self.engine), migration_state.running(self.engine)
        known = migrate.knows(self.revision)
        self.evidence.check(
            "this release knows the database's revision",
            known,
            self.revision or N_("the database was never migrated")
            if known
            else msg(
                "{revision} is of a newer release: run this runbook with that one", revision=self.revision
            ),
        )
        holder = self._session(self.running.holder)
        return facts(
            {
                "environment": self.work.settings.environment,
                "revision": self.revision or "none",
                "revision of this release": self.head,
                "migration at work": " | ".join(map(str, holder.shown().values())) if holder else "none",
                "migrations waiting for it": len(self.running.waiting),
                "a migration waits for a table": f"{LOCK_TIMEOUT}, lets others pass, tries again for {PATIENCE_SECONDS:.0f} s, then fails: nothing is changed",
                "mode": "dry run: nothing is changed" if self.dry_run else "REAL RUN",
            }
        )

    def blocking(self) -> "pd.DataFrame":
        """Who waits for whom now."""
        return backends.tree_table(self.found)

    def holding(self) -> "pd.DataFrame":
        """Transactions that hold a lock on a table: any of them makes a migration fail that needs that table."""
        shown = [session.shown() for session in self._holders()]
        return listed(shown[:SHOWN], backends.COLUMNS, "nobody holds a table")

    def indexes(self) -> "pd.DataFrame":
        """Indexes that a migration which was cut short left behind."""
        self.invalid = migration_state.invalid_indexes(self.engine)
        return listed(self.invalid, ["name", "table", "building", "definition"], "none")

    def schema(self) -> "pd.DataFrame":
        """What is there against what its revision says."""
        if self.failures:
            self.evidence.skip(
                "the schema is that of the revision", "this release does not know the revision"
            )
            return self.last_check()
        with self.evidence.step("comparing schemas"):
            self.compared = migration_state.compare(self.engine, self.work.folder, self.revision)
        broken = {name.rpartition(".")[2] for name in self._names()}
        missing = [one for one in self.compared.missing if one.removeprefix("index ") not in broken]
        self.evidence.check(
            "nothing is missing",
            not missing,
            ", ".join(missing[:SHOWN]) or N_("all that was migrated is there"),
        )
        self.evidence.check(
            "nothing is there too early",
            not self.compared.ahead,
            ", ".join(self.compared.ahead[:SHOWN]) or N_("no half step"),
        )
        if self.compared.foreign:
            self.evidence.skip("made by no migration", ", ".join(self.compared.foreign[:SHOWN]))
        return self.evidence.table(1)

    def plan(self) -> "pd.DataFrame":
        """Who is ended, which indexes go or are built anew, and whether the migrations are run again."""
        chosen = self.chosen if any(self.chosen.values()) else self._proposed()
        self.given = {
            "cancel": " ".join(chosen[CANCEL]),
            "terminate": " ".join(chosen[TERMINATE]),
            "drop": " ".join(chosen[DROP]),
            "reindex": " ".join(chosen[REINDEX]),
            "go_on": "true" if chosen[MIGRATE] else "",
        }
        indexes = [Step(what, one, INDEX_EFFECTS[what]) for what in (DROP, REINDEX) for one in chosen[what]]
        again = [
            Step(MIGRATE, f"to {one}", "tables are locked for moments; nothing changes when it fails")
            for one in chosen[MIGRATE]
        ]
        steps = (*backends.steps_for(chosen), *indexes, *again)
        self.planned = Plan(self.work.settings.environment, steps)
        return self.show_plan(self.planned)

    def act(self) -> "pd.DataFrame":
        """Do what the plan says; what is done already stays so."""
        if not self.for_real:
            return facts(NOT_DONE)
        done: list[dict[str, str]] = []
        self.evidence.figures["done"] = done
        with self.evidence.step("acting"):
            for step in self.planned.steps:
                went = self._index(step) if step.what in {DROP, REINDEX} else self._other(step)
                done.append({"what": step.what, "on": step.on, "went": went})
                self.evidence.save()
        return rows(done, ["what", "on", "went"])

    def check(self) -> "pd.DataFrame":
        """Is it through: nobody holds it up, no index is invalid, the database is at this release's revision."""
        if not self.for_real:
            return facts(NOT_DONE)
        first = len(self.evidence.checks)
        backends.check_ended(self.evidence, self.engine, self.planned)
        left = [one["name"] for one in migration_state.invalid_indexes(self.engine) if not one["building"]]
        wanted = {*self.planned.of(DROP), *self.planned.of(REINDEX)}
        self.evidence.check(
            "no index of the plan is invalid", not wanted & set(left), " ".join(left) or N_("none is")
        )
        now = migrate.current(self.engine)
        if self.planned.of(MIGRATE):
            self.evidence.check(
                "migrations are at head",
                now == self.head,
                msg("{now} of {head}", now=now or msg("none"), head=self.head),
            )
            differences = migrate.differences(self.engine)
            self.evidence.check(
                "the schema is what the code expects",
                not differences,
                msg("{count} differences", count=len(differences)),
            )
        return self.evidence.table(first)

    def finish(self) -> "pd.DataFrame":
        """Every check; gives back the lock and the connection."""
        self.engine.dispose()
        return self.end()

    # --- inside ---

    def _session(self, pid: int) -> Session | None:
        return next((session for session in self.found if session.pid == pid), None)

    def _holders(self) -> list[Session]:
        pids = migration_state.lock_holders(self.engine) - {self.running.holder}
        return [one for one in self.found if one.pid in pids and one.transaction_seconds > 0]

    def _names(self) -> list[str]:
        return [one["name"] for one in self.invalid if not one["building"]]

    def _proposed(self) -> dict[str, list[str]]:
        """Who holds the migration up, or has held tables for too long; a migration that does nothing; what it left."""
        old = [one for one in self._holders() if one.transaction_seconds >= self.patience]
        holder = self._session(self.running.holder)
        asleep = (
            [holder] if holder and holder.state != "active" and holder.state_seconds >= self.patience else []
        )
        ends = backends.proposed([*backends.roots(self.found), *old, *asleep])
        wanted = self.compared.missing if self.compared else ()
        indexes = {name: f"index {name.rpartition('.')[2]}" in wanted for name in self._names()}
        behind = self.revision != self.head
        return {
            **ends,
            DROP: [name for name, needed in indexes.items() if not needed],
            REINDEX: [name for name, needed in indexes.items() if needed],
            MIGRATE: [self.head] * behind,
        }

    def _index(self, step: Step) -> str:
        """Names come quoted from the server; only an index that is still invalid is touched."""
        now = {one["name"]: one["building"] for one in migration_state.invalid_indexes(self.engine)}
        if step.on not in now:
            return "is not invalid any more"
        if now[step.on]:
            return "left: somebody is building it"
        verb = "DROP INDEX CONCURRENTLY IF EXISTS" if step.what == DROP else "REINDEX INDEX CONCURRENTLY"
        with self.engine.connect() as connection:
            connection.execute(text(f"{verb} {step.on}"))
        return "done"

    def _other(self, step: Step) -> str:
        if step.what != MIGRATE:
            return backends.end(self.engine, step.what, step.on)
        return self._migrate()

    def _migrate(self) -> str:
        """The migrations that are left, as the role that owns the tables."""
        migrate.upgrade(self.work.engine)
        return "done"
