"""PostgreSQL's sessions: who waits for whom, and how one of them is ended and never another.

A pid is no identity, because the system reuses it: a session is known by its pid and the instant it began, written as
`4711@1795715532123456` (microseconds since 1970), and both are compared in the statement that ends it.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine, create_engine, make_url, text
from sqlalchemy.exc import OperationalError

from leitstand.db.cluster import SUPERUSER
from leitstand.errors import InvalidInput, Unavailable
from leitstand.runbooks.confirming import Plan, Step
from leitstand.runbooks.evidence import Evidence, listed
from leitstand.settings import Settings
from leitstand.words import N_, msg

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ["session", "who", "state", "in transaction", "waits for", "statement"]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
IDENTITY = re.compile(r"(?P<pid>\d{1,10})@(?P<began>\d{1,17})")
LITERAL = re.compile(r"'(?:[^']|'')*'")
STATEMENT_SHOWN = 110
ENDING_MS = 5_000
CANCEL, TERMINATE = "cancel", "terminate"
EFFECTS = {
    CANCEL: "its statement ends with an error, its session stays",
    TERMINATE: "its transaction is rolled back and its connection closed",
}
SESSIONS = """
SELECT pid, backend_start AS began, coalesce(usename, '') AS role, application_name AS application, state,
       coalesce(wait_event_type || ': ' || wait_event, '') AS waits,
       extract(epoch FROM clock_timestamp() - xact_start)::float AS transaction_seconds,
       extract(epoch FROM clock_timestamp() - state_change)::float AS state_seconds,
       query, pg_blocking_pids(pid) AS blockers
FROM pg_stat_activity
WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
ORDER BY xact_start NULLS LAST, pid
"""
SIGNALS = {
    CANCEL: "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE pid = :pid AND backend_start = :began",
    TERMINATE: "SELECT pg_terminate_backend(pid, :patience) FROM pg_stat_activity WHERE pid = :pid AND backend_start = :began",
}


@dataclass(frozen=True)
class Session:
    """One client's session.

    Args:
        waits: the event it waits for, empty when it does not.
        transaction_seconds: age of its transaction; 0 outside of one. state_seconds: since its state last changed.
        statement: its last one, without the values in it.
        blockers: pids that it waits for.
    """

    pid: int
    began: datetime
    role: str
    application: str
    state: str
    waits: str
    transaction_seconds: float
    state_seconds: float
    statement: str
    blockers: tuple[int, ...]

    @property
    def identity(self) -> str:
        """Pid and beginning."""
        return f"{self.pid}@{(self.began - EPOCH) // timedelta(microseconds=1)}"

    @property
    def idle_in_transaction(self) -> bool:
        """It holds a transaction open and does nothing."""
        return self.state.startswith("idle in transaction")

    def shown(self) -> dict[str, Any]:
        """As a line of a table."""
        return {
            "session": self.identity,
            "who": f"{self.application or 'unnamed'} ({self.role})",
            "state": self.state,
            "in transaction": f"{self.transaction_seconds:.0f} s",
            "waits for": self.waits,
            "statement": self.statement,
        }


def reserved_engine(settings: Settings) -> tuple[Engine, str]:
    """One connection that is there also when all are used up: as the superuser, for whom PostgreSQL keeps some.

    Where the superuser has another password (a database that others run), it is the ordinary role. Gives the role too.

    Raises:
        Unavailable: neither gets a connection.
    """
    url = make_url(settings.database_url)
    said = ""
    for role in (SUPERUSER, str(url.username)):
        engine = create_engine(
            url.set(username=role),
            pool_size=1,
            max_overflow=0,
            isolation_level="AUTOCOMMIT",
            connect_args={
                "connect_timeout": 5,
                "application_name": "leitstand-runbook",
                "options": "-c timezone=UTC -c lock_timeout=3000 -c statement_timeout=0",
            },
        )
        try:
            engine.connect().close()
        except OperationalError as error:
            engine.dispose()
            said = str(error.orig).strip().splitlines()[-1]
        else:
            return engine, role
    raise Unavailable(
        msg("PostgreSQL takes no connection: {said}", said=said),
        hint="`leitstand logs postgres` says why; if it does not start, see the runbook postgres-point-in-time.",
    )


def sessions(engine: Engine) -> list[Session]:
    """Every client's session but our own, those with the oldest transaction first."""
    with engine.connect() as connection:
        return [_session(dict(row._mapping)) for row in connection.execute(text(SESSIONS))]


def _session(row: dict[str, Any]) -> Session:
    return Session(
        pid=row["pid"],
        began=row["began"],
        role=row["role"],
        application=row["application"],
        state=row["state"] or "",
        waits=row["waits"],
        transaction_seconds=row["transaction_seconds"] or 0.0,
        state_seconds=row["state_seconds"] or 0.0,
        statement=without_values(row["query"]),
        blockers=tuple(pid for pid in row["blockers"] if pid),
    )


def without_values(statement: str) -> str:
    """The beginning of a statement in one line, without quoted values: they may be customers' data."""
    return LITERAL.sub("'…'", " ".join(statement.split()))[:STATEMENT_SHOWN]


def roots(found: Iterable[Session]) -> list[Session]:
    """The sessions that block others and wait for nobody: what has to end for the others to go on."""
    known = list(found)
    blocking = {pid for session in known for pid in session.blockers}
    return [session for session in known if session.pid in blocking and not session.blockers]


def tree(found: Iterable[Session]) -> list[tuple[int, Session]]:
    """Who blocks whom, each with its depth: under every root those that wait for it, each once.

    Sessions that wait for each other in a circle come last, at depth 0; PostgreSQL ends one of them itself.
    """
    known = list(found)
    lines: list[tuple[int, Session]] = []
    shown: set[int] = set()

    def add(session: Session, depth: int) -> None:
        if session.pid in shown:
            return
        shown.add(session.pid)
        lines.append((depth, session))
        for waiting in known:
            if session.pid in waiting.blockers:
                add(waiting, depth + 1)

    for session in [*roots(known), *(session for session in known if session.blockers)]:
        add(session, 0)
    return lines


def parsed(identity: str) -> tuple[int, datetime]:
    """Pid and beginning that an identity names.

    Raises:
        InvalidInput: it is none.
    """
    match = IDENTITY.fullmatch(identity)
    if match is None:
        raise InvalidInput(
            msg("{identity!r} names no session.", identity=identity),
            hint="Take it from the dry run; it looks like 4711@1795715532123456.",
        )
    return int(match["pid"]), EPOCH + timedelta(microseconds=int(match["began"]))


def end(engine: Engine, what: str, identity: str) -> str:
    """Cancel a session's statement or terminate it; gives how that went: `done`, `was gone already`, or `does not end`.

    Args:
        what: CANCEL or TERMINATE.
    """
    pid, began = parsed(identity)
    with engine.connect() as connection:
        values = {"pid": pid, "began": began, "patience": ENDING_MS}
        went = connection.scalar(text(SIGNALS[what]), values)
    if went is None:
        return "was gone already"
    return "done" if went else "does not end"


def steps_for(chosen: dict[str, list[str]]) -> tuple[Step, ...]:
    """The steps of a plan that cancel and terminate the chosen sessions; the names are checked.

    Raises:
        InvalidInput: one names no session.
    """
    ends = tuple((what, one) for what in (CANCEL, TERMINATE) for one in chosen[what])
    for _, one in ends:
        parsed(one)
    return tuple(Step(what, one, EFFECTS[what]) for what, one in ends)


def proposed(holding: Iterable[Session], idle: Iterable[Session] = ()) -> dict[str, list[str]]:
    """What to do with those that hold others up: one that works is cancelled, one that only holds is terminated."""
    known = {one.identity: one for one in [*holding, *idle]}
    return {
        CANCEL: sorted(name for name, one in known.items() if one.state == "active"),
        TERMINATE: sorted(name for name, one in known.items() if one.state != "active"),
    }


def check_ended(evidence: Evidence, engine: Engine, plan: Plan) -> None:
    """Are the sessions of a plan gone, and does nobody wait for them any more."""
    left = still_there(engine, plan.of(TERMINATE))
    evidence.check("every terminated session is gone", not left, " ".join(left) or N_("all are"))
    ended = {parsed(one)[0] for one in [*plan.of(TERMINATE), *plan.of(CANCEL)]}
    waiting = [one for one in sessions(engine) if ended & set(one.blockers)]
    evidence.check(
        "nobody waits for them",
        not waiting,
        msg("{count} do; if any, make a dry run again", count=len(waiting)),
    )


def tree_table(found: list[Session], shown: int = 40) -> "pd.DataFrame":
    """`tree` as a table: under each session those that wait for it."""
    lines = [{"depth": "→ " * depth or "BLOCKS", **session.shown()} for depth, session in tree(found)]
    return listed(lines[:shown], ["depth", *COLUMNS], "nobody waits for a lock")


def still_there(engine: Engine, identities: Iterable[str]) -> list[str]:
    """Which of the sessions are still connected."""
    here = {session.identity for session in sessions(engine)}
    return [identity for identity in identities if identity in here]
