"""The steps of runbook rb120: the database is slow or locked; who holds it up, and how that is ended."""

from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from leitstand.runbooks import backends, database_state
from leitstand.runbooks.backends import CANCEL, COLUMNS, TERMINATE, Session
from leitstand.runbooks.confirming import NOT_DONE, Confirmed, Plan, Step, require_choice
from leitstand.runbooks.evidence import Evidence, facts, listed, rows
from leitstand.runbooks.taking_up import EVIDENCE, SANDBOX, TakenUp, take_up
from leitstand.words import msg

if TYPE_CHECKING:
    import pandas as pd

ANALYZE = "analyze"
SHOWN = 40
# More than this share of the connections in use is called used up: new ones will soon be refused.
FULL_SHARE = 0.9


class DatabaseSlow(Confirmed):
    """One look at a slow database and, when it was confirmed, the end of what holds it up."""

    NAME = "database-slow-or-locked"

    def __init__(
        self, work: TakenUp, chosen: dict[str, list[str]], idle_seconds: int, *, dry_run: bool
    ) -> None:
        super().__init__(work, Evidence(work.folder / EVIDENCE), dry_run=dry_run, given={})
        self.chosen, self.idle_seconds = chosen, idle_seconds
        self.engine, self.role = backends.reserved_engine(work.settings)
        self.found: list[Session] = []
        self.stale: list[str] = []
        self.planned = Plan("", ())

    @classmethod
    def begin(
        cls,
        *,
        run_id: str = SANDBOX,
        cancel: str = "",
        terminate: str = "",
        analyze: str = "",
        idle_seconds: int = 300,
        dry_run: bool = True,
    ) -> "DatabaseSlow":
        """Take up the work; without a choice a dry run proposes one.

        Args:
            cancel, terminate: sessions as the dry run names them, separated by spaces.
            analyze: tables as the dry run names them, separated by spaces.
            idle_seconds: a session idle in a transaction for longer is proposed to be terminated.

        Raises:
            InvalidInput: a real run without a choice, or what names no session.
            Unavailable: PostgreSQL takes no connection, not even the superuser's.
        """
        chosen = {CANCEL: cancel.split(), TERMINATE: terminate.split(), ANALYZE: analyze.split()}
        backends.steps_for(chosen)
        require_choice(chosen, dry_run=dry_run)
        return cls(take_up(run_id), chosen, idle_seconds, dry_run=dry_run)

    # --- the steps ---

    def situation(self) -> "pd.DataFrame":
        """Where this runs, and how many connections are left."""
        with self.engine.connect() as connection:
            used = database_state.connections(connection)
            version = connection.scalar(text("SHOW server_version"))
            since = connection.scalar(text("SELECT pg_postmaster_start_time()"))
        self.evidence.figures["connections"] = used
        full = used["used"] >= FULL_SHARE * used["for_services"]
        return facts(
            {
                "environment": self.work.settings.environment,
                "PostgreSQL": f"{version}, running since {since:%Y-%m-%d %H:%M} UTC",
                "we are connected as": self.role,
                "connections": f"{used['used']} of {used['for_services']}{' - USED UP' if full else ''}",
                "of these active": used["active"],
                "idle in a transaction": used["idle_in_transaction"],
                "mode": "dry run: nothing is changed" if self.dry_run else "REAL RUN",
            }
        )

    def blocking(self) -> "pd.DataFrame":
        """Who waits for whom: under each session those that wait for it."""
        self.found = backends.sessions(self.engine)
        self.evidence.figures["blocked"] = sum(bool(session.blockers) for session in self.found)
        return backends.tree_table(self.found)

    def longest(self) -> "pd.DataFrame":
        """The oldest transactions, whether they block somebody or not."""
        old = sorted(self.found, key=lambda session: -session.transaction_seconds)
        shown = [session.shown() for session in old if session.transaction_seconds > 0]
        return listed(shown[:SHOWN], COLUMNS, "no transaction is open")

    def tables(self) -> "pd.DataFrame":
        """Tables of which the planner knows too little, and tables full of dead rows."""
        with self.engine.connect() as connection:
            found = database_state.tables_to_analyze(connection)
        self.stale = [table["name"] for table in found if not table["analyzed"] or _changed(table)]
        shown = [
            {**table, **{key: str(table[key] or "never") for key in ("analyzed", "vacuumed")}}
            for table in found
        ]
        columns = ["name", "live", "dead", "changed", "analyzed", "vacuumed"]
        return listed(shown, columns, "none")

    def load(self) -> "pd.DataFrame":
        """Memory, temporary files, checkpoints, and the statements that cost most."""
        with self.engine.connect() as connection:
            said = database_state.load(connection)
            statements = database_state.costliest_statements(connection)
        if statements is None:
            said["costliest statements"] = (
                "not counted: add pg_stat_statements to shared_preload_libraries in postgresql.conf and restart PostgreSQL"
            )
        for number, one in enumerate(statements or [], 1):
            said[f"costly statement {number}"] = (
                f"{one['seconds in all']} s in {one['calls']} calls, {one['ms each']} ms each: {one['statement']}"
            )
        return facts(said)

    def plan(self) -> "pd.DataFrame":
        """What is to be ended and analyzed; a dry run without a choice proposes."""
        chosen = self.chosen if any(self.chosen.values()) else self._proposed()
        self.given = {what: " ".join(names) for what, names in chosen.items()}
        analyzes = [Step(ANALYZE, table, "reads a sample of it, blocks nobody") for table in chosen[ANALYZE]]
        self.planned = Plan(self.work.settings.environment, (*backends.steps_for(chosen), *analyzes))
        return self.show_plan(self.planned)

    def act(self) -> "pd.DataFrame":
        """End and analyze what the plan says; what is gone already stays so."""
        if not self.for_real:
            return facts(NOT_DONE)
        done = []
        with self.evidence.step("acting"):
            for step in self.planned.steps:
                went = (
                    self._analyze(step.on)
                    if step.what == ANALYZE
                    else backends.end(self.engine, step.what, step.on)
                )
                done.append({"what": step.what, "on": step.on, "went": went})
        self.evidence.figures["done"] = done
        self.evidence.save()
        return rows(done, ["what", "on", "went"])

    def check(self) -> "pd.DataFrame":
        """Are they gone, does nobody wait for them, are connections free again."""
        if not self.for_real:
            return facts(NOT_DONE)
        first = len(self.evidence.checks)
        backends.check_ended(self.evidence, self.engine, self.planned)
        with self.engine.connect() as connection:
            used = database_state.connections(connection)
        free = used["used"] < FULL_SHARE * used["for_services"]
        self.evidence.check(
            "connections are free",
            free,
            msg("{used} of {for_services} in use", used=used["used"], for_services=used["for_services"]),
        )
        return self.evidence.table(first)

    def finish(self) -> "pd.DataFrame":
        """Every check; gives back the lock and the connection."""
        self.engine.dispose()
        return self.end()

    # --- inside ---

    def _proposed(self) -> dict[str, list[str]]:
        """Roots of the tree: one that works is cancelled, one that only holds is terminated; and who idles for too long."""
        idle = [
            one for one in self.found if one.idle_in_transaction and one.state_seconds >= self.idle_seconds
        ]
        return {**backends.proposed(backends.roots(self.found), idle), ANALYZE: sorted(self.stale)}

    def _analyze(self, table: str) -> str:
        """Names come quoted from the server itself; one that it does not know is refused."""
        with self.engine.connect() as connection:
            known = connection.scalar(text("SELECT to_regclass(:name)::oid::regclass::text"), {"name": table})
            if known is None:
                return "there is no such table"
            connection.execute(text(f"ANALYZE {known}"))
        return "done"


def _changed(table: dict[str, Any]) -> bool:
    return bool(table["changed"] > database_state.CHANGED_SHARE * table["live"])
