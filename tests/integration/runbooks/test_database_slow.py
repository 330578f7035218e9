"""Runbook rb120, on a database that is really locked, and on one whose connections are really used up."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import psycopg
import pytest

from leitstand.errors import InvalidInput
from leitstand.runbooks import backends
from leitstand.runbooks.database_slow import DatabaseSlow
from tests.operating import dry_run, page, real_run, verdicts
from tests.source import Source
from tests.waiting import wait_until

NAME = "database-slow-or-locked"
PATIENCE = 60
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def connect(source: Source, application: str) -> psycopg.Connection:
    return psycopg.connect(source.cluster.conninfo("leitstand", "leitstand"), application_name=application)


class Waiter(threading.Thread):
    """A session that runs one statement and is kept waiting; `error` is what it ended with."""

    def __init__(self, source: Source, application: str, statement: str) -> None:
        super().__init__(daemon=True)
        self.connection, self.statement = connect(source, application), statement
        self.error: Exception | None = None
        self.start()

    def run(self) -> None:
        try:
            with self.connection as connection:
                connection.execute(self.statement)  # type: ignore[arg-type]
        except psycopg.Error as error:
            self.error = error


@pytest.fixture
def chain(source: Source) -> Iterator[tuple[psycopg.Connection, Waiter, Waiter]]:
    """One that holds a lock and does nothing, one that waits for it, and one that waits for that one."""
    source.execute("DELETE FROM workspace WHERE slug LIKE 'locked-%'")
    source.add_workspace("locked-1")
    holder = connect(source, "holder")
    holder.execute("UPDATE workspace SET name = 'secret-customer' WHERE slug = 'locked-1'")
    first = Waiter(source, "first", "ALTER TABLE workspace ADD COLUMN IF NOT EXISTS noted text")
    wait_until(lambda: blocked(source) == 1)
    second = Waiter(source, "second", "SELECT count(*) FROM workspace WHERE name <> 'a private value'")
    wait_until(lambda: blocked(source) == 2)
    yield holder, first, second
    holder.close()
    for waiter in (first, second):
        waiter.join(PATIENCE)
        waiter.connection.close()
    source.execute("ALTER TABLE workspace DROP COLUMN IF EXISTS noted")


def blocked(source: Source) -> object:
    return source.one("SELECT count(*) FROM pg_stat_activity WHERE cardinality(pg_blocking_pids(pid)) > 0")


def test_a_lock_chain_is_shown_and_its_root_ended(
    source: Source, chain: tuple[psycopg.Connection, Waiter, Waiter]
) -> None:
    holder, first, second = chain
    dry = dry_run(source, NAME)
    said = page(source, dry)
    assert dry.figures["blocked"] == 2 and "holder (leitstand)" in said and "→ →" in said
    assert "private value" not in said and "secret-customer" not in said, "values may be customers' data"
    assert [step["what"] for step in dry.figures["plan"]["steps"]][:1] == ["terminate"]
    assert blocked(source) == 2, "a dry run ends nobody"

    refused = real_run(source, dry, typed="another")
    assert not refused.ok and "not typed" in refused.error and blocked(source) == 2

    done = real_run(source, dry)
    assert done.ok, done.error
    assert verdicts(done)["nobody waits for them"] == "passed"
    first.join(PATIENCE)
    second.join(PATIENCE)
    assert (first.error, second.error) == (None, None), "both went on"
    with pytest.raises(psycopg.OperationalError):
        holder.execute("SELECT 1")
    assert source.one("SELECT name FROM workspace WHERE slug = 'locked-1'") == "locked-1", "rolled back"


@contextmanager
def flood(source: Source) -> Iterator[list[psycopg.Connection]]:
    """Sessions that begin a transaction and leave it, until no more are let in."""
    source.engine.dispose()
    with ExitStack() as stack:
        held: list[psycopg.Connection] = []
        while True:
            try:
                connection = stack.enter_context(connect(source, "flood"))
            except psycopg.OperationalError:
                break
            connection.execute("SELECT 1")
            held.append(connection)
        yield held
        for connection in held:
            connection.close()


@pytest.mark.long
def test_used_up_connections_are_freed_through_a_reserved_one(source: Source) -> None:
    with flood(source) as held:
        with pytest.raises(psycopg.OperationalError, match="slots"):
            connect(source, "one more")
        dry = dry_run(source, NAME, idle_seconds=0)
        assert "USED UP" in page(source, dry)
        steps = dry.figures["plan"]["steps"]
        assert sum(step["what"] == "terminate" for step in steps) == len(held) > 50
        done = real_run(source, dry)
        assert done.ok, done.error
        assert verdicts(done)["connections are free"] == "passed"
        connect(source, "let in again").close()


def test_a_session_that_took_the_pid_of_another_is_not_hit(source: Source) -> None:
    engine, role = backends.reserved_engine(source.settings)
    with connect(source, "innocent") as innocent:
        found = next(one for one in backends.sessions(engine) if one.application == "innocent")
        pid, began = found.identity.split("@")
        earlier = f"{pid}@{int(began) - 1}"
        assert role == "postgres"
        assert backends.end(engine, backends.TERMINATE, earlier) == "was gone already"
        assert innocent.execute("SELECT 1").fetchone() == (1,)
        assert backends.still_there(engine, [earlier, found.identity]) == [found.identity]
        assert backends.end(engine, backends.TERMINATE, found.identity) == "done"
        with pytest.raises(psycopg.OperationalError):
            innocent.execute("SELECT 1")
    engine.dispose()


def test_a_real_run_needs_a_choice_that_names_sessions(source: Source) -> None:
    with pytest.raises(InvalidInput, match="what to do"):
        DatabaseSlow.begin(dry_run=False)
    with pytest.raises(InvalidInput, match="names no session"):
        DatabaseSlow.begin(terminate="4711", dry_run=False)
