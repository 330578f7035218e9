"""The steps of runbook rb070: a full disk; what takes the space, what of it may go, and whether everything writes again."""

import shutil
import time
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine, text

from leitstand.backups.catalogue import KINDS
from leitstand.db.engine import transaction
from leitstand.db.exclusive import is_held
from leitstand.errors import PreconditionFailed, Unavailable
from leitstand.runbooks import backends, reserve, space
from leitstand.runbooks.confirming import NOT_DONE, Confirmed, Plan, Step, require_choice
from leitstand.runbooks.evidence import Evidence, facts, listed, rows
from leitstand.runbooks.space import Candidate
from leitstand.runbooks.taking_up import EVIDENCE, SANDBOX, TakenUp, take_up
from leitstand.words import N_, msg

if TYPE_CHECKING:
    import pandas as pd

DELETE, DROP_SLOT = "delete", "drop replication slot"
EFFECTS = {
    DELETE: "nothing uses it; it does not come back",
    DROP_SLOT: "whatever read the log through it has to be set up anew",
}
BACK_SECONDS, POLL_SECONDS = 120.0, 1.0
SHOWN = 40


class DiskFull(Confirmed):
    """One look at a full disk and, when it was confirmed, the removal of what was chosen."""

    NAME = "disk-full"

    def __init__(self, work: TakenUp, chosen: dict[str, list[str]], enough: int, *, dry_run: bool) -> None:
        super().__init__(work, Evidence(work.folder / EVIDENCE), dry_run=dry_run, given={})
        self.chosen, self.enough, self.settings = chosen, enough, work.settings
        self.engine: Engine | None = None
        self.why_no_database = ""
        self.candidates: list[Candidate] = []
        self.slots: list[dict[str, Any]] = []
        self.planned = Plan("", ())

    @classmethod
    def begin(
        cls,
        *,
        run_id: str = SANDBOX,
        delete: str = "",
        drop_slots: str = "",
        enough_percent: int = 10,
        dry_run: bool = True,
    ) -> "DiskFull":
        """Take up the work; without a choice a dry run proposes one.

        Args:
            delete: paths as the dry run names them, separated by spaces.
            drop_slots: replication slots that nobody reads through any more.
            enough_percent: of the disk that is to be free afterwards.

        Raises:
            InvalidInput: a real run without a choice.
        """
        chosen = {DELETE: delete.split(), DROP_SLOT: drop_slots.split()}
        require_choice(chosen, dry_run=dry_run)
        full = cls(take_up(run_id), chosen, enough_percent, dry_run=dry_run)
        full.connect()
        return full

    def connect(self) -> bool:
        """Whether the database takes a connection now; it need not, on a full disk it often stops."""
        if self.engine is None:
            try:
                self.engine, _ = backends.reserved_engine(self.settings)
            except Unavailable as error:
                self.why_no_database = error.message
        return self.engine is not None

    # --- the steps ---

    def situation(self) -> "pd.DataFrame":
        """Where this runs, how full the disk is, and whether the database still answers."""
        usage = shutil.disk_usage(self.settings.data_dir)
        self.evidence.figures |= {"free_before": usage.free, "disk_bytes": usage.total}
        kept = (self.settings.data_dir / reserve.NAME).exists()
        return facts(
            {
                "environment": self.settings.environment,
                "data folder": self.settings.data_dir,
                "disk": f"{_mb(usage.total)}, free {_mb(usage.free)} ({usage.free * 100 // usage.total} %)",
                "the reserve for this day": "is still there" if kept else "is used up, or was never made",
                "database": "answers" if self.engine else f"DOES NOT ANSWER: {self.why_no_database}",
                "mode": "dry run: nothing is freed" if self.dry_run else "REAL RUN",
            }
        )

    def folders(self) -> "pd.DataFrame":
        """What takes the space in the data folder."""
        found = space.by_folder(self.settings)
        inside = [
            {"entry": f"postgres: {name}", "bytes": size, "what": ""}
            for name, size in space.inside_postgres(self.settings).items()
        ]
        shown = [{**one, "size": _mb(int(one["bytes"]))} for one in [*found[:SHOWN], *inside]]
        return rows(shown, ["entry", "size", "what"])

    def log(self) -> "pd.DataFrame":
        """Why PostgreSQL keeps its log: a slot that nobody reads, or an archive that takes nothing."""
        if self.engine is None:
            return facts({"the log": "the database does not answer; free files first, then run this again"})
        with self.engine.connect() as connection:
            self.slots, archiver = space.slots(connection), space.archiver(connection)
        said = {
            "log on the disk": _mb(archiver["bytes"]),
            "segments that wait for the archive": archiver["waiting"],
            "archive": f"FAILS since {archiver['last_failed_time']:%Y-%m-%d %H:%M} UTC: see object-storage-down"
            if archiver["failing"]
            else "takes what it is given",
        }
        for slot in self.slots:
            use = "in use" if slot["active"] else "NOBODY READS IT"
            said[f"replication slot {slot['name']}"] = f"{slot['kind']}, {use}, keeps {_mb(slot['bytes'])}"
        return facts(said)

    def tables(self) -> "pd.DataFrame":
        """The largest tables. Nothing is deleted from them here."""
        if self.engine is None:
            return facts({"tables": "the database does not answer"})
        with self.engine.connect() as connection:
            found = space.largest_relations(connection)
        shown = [{"table": one["name"], "size": _mb(one["bytes"]), "dead rows": one["dead"]} for one in found]
        return rows(shown, ["table", "size", "dead rows"])

    def may_go(self) -> "pd.DataFrame":
        """What may go, safest first; what is not proposed goes only when its name is given."""
        self.candidates = space.candidates(self.settings, self.work.folder, self._at_work())
        shown = [
            {"path": one.path, "size": _mb(one.bytes), "what": one.why, "proposed": one.proposed}
            for one in self.candidates
        ]
        return listed(shown[:SHOWN], ["path", "size", "what", "proposed"], "nothing may go")

    def plan(self) -> "pd.DataFrame":
        """What goes, in this order.

        Raises:
            PreconditionFailed: something was chosen that is there and may not go.
        """
        chosen = self.chosen if any(self.chosen.values()) else self._proposed()
        self._refuse_others(chosen)
        self.given = {"delete": " ".join(chosen[DELETE]), "drop_slots": " ".join(chosen[DROP_SLOT])}
        steps = tuple(Step(what, one, EFFECTS[what]) for what in (DELETE, DROP_SLOT) for one in chosen[what])
        self.planned = Plan(self.settings.environment, steps)
        return self.show_plan(self.planned)

    def free(self) -> "pd.DataFrame":
        """Do what the plan says; what is gone already stays so."""
        if not self.for_real:
            return facts(NOT_DONE)
        done: list[dict[str, str]] = []
        self.evidence.figures["done"] = done
        with self.evidence.step("freeing"):
            for step in self.planned.steps:
                went = space.remove(self.settings, step.on) if step.what == DELETE else self._drop(step.on)
                done.append({"what": step.what, "on": step.on, "went": went})
                self.evidence.save()
            self._checkpoint()
        return rows(done, ["what", "on", "went"])

    def check(self) -> "pd.DataFrame":
        """Is there space again, does the database write, is the reserve there for the next time."""
        if not self.for_real:
            return facts(NOT_DONE)
        first, usage = len(self.evidence.checks), shutil.disk_usage(self.settings.data_dir)
        self.evidence.figures["free_after"] = usage.free
        percent = usage.free * 100 // usage.total
        self.evidence.check(
            "enough is free",
            percent >= self.enough,
            msg("{free}, {percent} % of the disk", free=_mb(usage.free), percent=percent),
        )
        self.evidence.check(
            "the database writes", self._writes(), self.why_no_database or N_("a table was made and dropped")
        )
        if reserve.ensure(self.settings):
            self.evidence.check("the reserve is there again", True, _mb(reserve.RESERVE_BYTES))
        else:
            self.evidence.skip("the reserve is there again", "too little is free; ./run up makes it")
        return self.evidence.table(first)

    def finish(self) -> "pd.DataFrame":
        """Every check; gives back the lock and the connection."""
        if self.engine is not None:
            self.engine.dispose()
        return self.end()

    # --- inside ---

    def _at_work(self) -> list[str] | None:
        """Kinds of which a backup runs; None where no database answers that could say so."""
        if self.engine is None:
            return None
        with transaction(self.engine) as session:
            return [kind for kind in KINDS if is_held(session, f"backup of {kind}")]

    def _proposed(self) -> dict[str, list[str]]:
        unread = [one["name"] for one in self.slots if not one["active"] and one["bytes"] > 0]
        return {DELETE: [one.path for one in self.candidates if one.proposed], DROP_SLOT: unread}

    def _refuse_others(self, chosen: dict[str, list[str]]) -> None:
        """Whatever is there and no candidate stays, whoever asks."""
        known = {one.path for one in self.candidates}
        for path in chosen[DELETE]:
            if path not in known and (self.settings.data_dir / path).exists():
                raise PreconditionFailed(
                    msg("{path} may not be deleted here.", path=path),
                    hint="Take paths from the table of what may go.",
                )

    def _drop(self, slot: str) -> str:
        """One that is read again since the plan was made stays."""
        engine = self._database()
        with engine.connect() as connection:
            active = {one["name"]: one["active"] for one in space.slots(connection)}
            if slot not in active:
                return "was gone already"
            if active[slot]:
                return "left: somebody reads it now"
            connection.execute(text("SELECT pg_drop_replication_slot(:name)"), {"name": slot})
        return "done"

    def _checkpoint(self) -> None:
        """The log that nobody keeps any more is removed at a checkpoint."""
        if self.planned.of(DROP_SLOT):
            with self._database().connect() as connection:
                connection.execute(text("CHECKPOINT"))

    def _writes(self) -> bool:
        try:
            with self._database().connect() as connection:
                connection.execute(
                    text(
                        "CREATE TABLE runbook_probe AS SELECT repeat('x', 1000) FROM generate_series(1, 1000)"
                    )
                )
                connection.execute(text("DROP TABLE runbook_probe"))
        except PreconditionFailed:
            return False
        return True

    def _database(self) -> Engine:
        """The database, which comes back by itself when there is space again.

        Raises:
            PreconditionFailed: it did not; the same run again goes on here.
        """
        deadline = time.monotonic() + BACK_SECONDS
        while not self.connect():
            if time.monotonic() > deadline:
                raise PreconditionFailed(
                    msg(
                        "The database does not come back: {why}",
                        why=self.why_no_database,
                    ),
                    hint="Start it (`./run up`), then run this again; what is freed stays freed.",
                )
            time.sleep(POLL_SECONDS)
        if self.engine is None:
            raise AssertionError("connected without an engine")
        return self.engine


def _mb(size: int) -> str:
    return f"{size / 1e6:,.0f} MB"
