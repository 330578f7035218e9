"""Row-level security: a second wall behind the filters by workspace.

The owner of the tables, as which migrations, jobs, flows, checks and backups work, is not held by it. A request becomes
a member of one workspace for the rest of its transaction: a role that owns nothing, and for which PostgreSQL adds the
conditions of `row_rules` to every statement. It is no wall against statements that an attacker writes, who could leave
the role as we do; it is one against a condition that somebody forgot.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import wraps
from typing import Concatenate
from uuid import UUID

from psycopg import Error as PsycopgError
from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    SQLColumnExpression,
    Text,
    cast,
    func,
    literal,
    text,
    true,
)
from sqlalchemy.orm import Session

from leitstand.db.cluster import MEMBER
from leitstand.db.engine import driver_cursor
from leitstand.db.row_rules import RULES, Rule

POLICY = "of_the_workspace"
RIGHTS = {"S": "SELECT", "I": "INSERT", "U": "UPDATE", "D": "DELETE"}
NO_ROLE = "none"
ENTER = text(
    "SELECT set_config('role', :role, true), set_config('leitstand.workspace', :workspace, true),"
    " set_config('leitstand.person', :person, true)"
)
CHANGE_ROLE = "SELECT set_config('role', %(role)s, true)"
LEAVE = """
    WITH before AS MATERIALIZED (SELECT current_setting('role') AS role)
    SELECT role, set_config('role', %(none)s, true) FROM before
"""
MADE = text("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = :role)")
# Before PostgreSQL 16 whoever belongs to a role may become it.
MEMBERSHIP = text("""
    SELECT pg_has_role(current_user, CAST(:role AS name),
        CASE WHEN current_setting('server_version_num')::int >= 160000 THEN 'SET' ELSE 'MEMBER' END)
""")
# Each table as it is: whether its rows are held, by which condition (as PostgreSQL writes it), and the role's rights.
FOUND = text("""
    SELECT c.relname, c.relrowsecurity,
        (SELECT pg_get_expr(p.polqual, p.polrelid) || ' / ' || pg_get_expr(p.polwithcheck, p.polrelid) || ' / ' ||
            COALESCE(obj_description(p.oid, 'pg_policy'), '')
        FROM pg_policy AS p WHERE p.polrelid = c.oid AND p.polname = :policy) AS condition,
        (SELECT COALESCE(string_agg(left(r.privilege_type, 1), '' ORDER BY r.privilege_type), '')
        FROM aclexplode(c.relacl) AS r JOIN pg_roles AS g ON g.oid = r.grantee AND g.rolname = :role) AS rights
    FROM pg_class AS c
    WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
""")


def enter(session: Session, *, workspace_id: UUID, person_id: UUID | None = None) -> None:
    """Be a member of a workspace until the transaction ends, however it ends.

    Args:
        person_id: who, for what signs them in; None: nobody.
    """
    values = {"role": MEMBER, "workspace": str(workspace_id), "person": str(person_id or "")}
    session.execute(ENTER, values)


def entering(
    workspace_id: SQLColumnExpression[UUID], person_id: SQLColumnExpression[UUID] | None = None
) -> list[ColumnElement[str]]:
    """What a query that finds one row selects besides, to `enter` as the member that it finds; nobody where it finds none.

    Args:
        person_id: who; None: nobody.
    """
    settings = (
        ("role", literal(MEMBER)),
        ("leitstand.workspace", cast(workspace_id, Text)),
        ("leitstand.person", literal("") if person_id is None else cast(person_id, Text)),
    )
    return [func.set_config(name, value, true()) for name, value in settings]


@contextmanager
def lifted(session: Session, reason: str) -> Iterator[None]:
    """Work outside of the wall meanwhile: for what reaches beyond the workspace by its nature, which `reason` says.

    What was pending before is written within the wall. Where nobody has entered, nothing changes.
    """
    if not reason:
        raise ValueError("the wall is not lifted without a reason")
    session.flush()
    cursor = driver_cursor(session)
    cursor.execute(LEAVE, {"none": NO_ROLE})
    ((before, _),) = cursor.fetchall()
    try:
        yield
        session.flush()
    except BaseException:
        # Where this fails, the transaction can only be rolled back, and that puts the role back as well.
        with suppress(PsycopgError):
            cursor.execute(CHANGE_ROLE, {"role": before})
        raise
    cursor.execute(CHANGE_ROLE, {"role": before})


def beyond[**P, R](
    reason: str,
) -> Callable[[Callable[Concatenate[Session, P], R]], Callable[Concatenate[Session, P], R]]:
    """A function whose whole work reaches beyond the workspace; see `lifted`."""

    def decorate(function: Callable[Concatenate[Session, P], R]) -> Callable[Concatenate[Session, P], R]:
        @wraps(function)
        def work(session: Session, /, *args: P.args, **kwargs: P.kwargs) -> R:
            with lifted(session, reason):
                return function(session, *args, **kwargs)

        return work

    return decorate


def build(bind: Connection, *tables: str) -> None:
    """Make rules and rights as the list has them, on these tables or on all; what is right already is not touched.

    A migration that makes a table calls this for it. Tables that are not there are left out. Where the role is
    missing, which only a superuser makes, the rules stand and the rights follow at the next start.
    """
    made = bool(bind.scalar(MADE, {"role": MEMBER}))
    there = _found(bind)
    for table in [name for name in (tables or RULES) if name in there]:
        for statement in _statements(table, RULES[table], made=made, found=there[table]):
            bind.execute(text(statement))
    if made and "procrastinate_jobs" in there:
        bind.execute(
            text(
                f"GRANT USAGE ON SEQUENCE procrastinate_jobs_id_seq, procrastinate_events_id_seq TO {MEMBER}"
            )
        )


def take_down(bind: Connection) -> None:
    """Take rules and rights away; the role stays, as other databases may have it too."""
    made = bool(bind.scalar(MADE, {"role": MEMBER}))
    for table, (held, condition, rights) in _found(bind).items():
        if condition:
            bind.execute(text(f"DROP POLICY {POLICY} ON {table}"))
        if held:
            bind.execute(text(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY"))
        if rights:
            bind.execute(text(f"REVOKE ALL ON {table} FROM {MEMBER}"))
    if made:
        bind.execute(
            text(
                f"REVOKE ALL ON SEQUENCE procrastinate_jobs_id_seq, procrastinate_events_id_seq FROM {MEMBER}"
            )
        )


def gaps(engine: Engine) -> list[str]:
    """Where the wall does not stand as the list has it, in words; empty when it does.

    Tables that this release does not know are open to no member.
    """
    with engine.connect() as connection:
        if not connection.scalar(MADE, {"role": MEMBER}):
            return [f"the role {MEMBER} is missing"]
        if not connection.scalar(MEMBERSHIP, {"role": MEMBER}):
            return [f"the role {MEMBER} was not granted to the application's"]
        there = _found(connection)
    return [
        f"{table} has another rule, or other rights"
        for table, rule in RULES.items()
        if table in there and _statements(table, rule, made=True, found=there[table])
    ]


Found = tuple[bool, str, str]


def _found(bind: Connection) -> dict[str, Found]:
    rows = bind.execute(FOUND, {"policy": POLICY, "role": MEMBER})
    return {name: (held, condition or "", rights) for name, held, condition, rights in rows}


def _statements(table: str, rule: Rule, *, made: bool, found: Found) -> list[str]:
    """What makes a table as its rule has it."""
    held, condition, rights = found
    told: list[str] = []
    # PostgreSQL writes a condition in its own way: the comment keeps it as it was given.
    written = condition.rsplit(" / ", 1)[-1]
    if rule.rows and written != rule.rows:
        quoted = rule.rows.replace("'", "''")
        told += [
            f"DROP POLICY IF EXISTS {POLICY} ON {table}",
            f"CREATE POLICY {POLICY} ON {table} USING ({rule.rows}) WITH CHECK ({rule.rows})",
            f"COMMENT ON POLICY {POLICY} ON {table} IS '{quoted}'",
        ]
    if held != bool(rule.rows):
        told.append(f"ALTER TABLE {table} {'ENABLE' if rule.rows else 'DISABLE'} ROW LEVEL SECURITY")
    if made and rights != "".join(sorted(rule.rights, key=RIGHTS.__getitem__)):
        told.append(f"REVOKE ALL ON {table} FROM {MEMBER}")
        if rule.rights:
            told.append(f"GRANT {', '.join(RIGHTS[one] for one in rule.rights)} ON {table} TO {MEMBER}")
    return told
