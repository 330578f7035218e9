"""The second wall: whatever a request asks, it sees and touches the rows of its workspace alone."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import Engine, Text, select, text
from sqlalchemy.exc import DBAPIError, ProgrammingError
from sqlalchemy.orm import Session

from leitstand.catalogue import companions, visibility
from leitstand.db import row_security
from leitstand.db.cluster import Cluster
from leitstand.db.engine import transaction
from leitstand.db.models import Base, Item, Workspace
from leitstand.db.row_rules import ENVIRONMENT, PEOPLE, RULES, WORKSPACES
from leitstand.db.row_security import MEMBER, beyond, enter, gaps, lifted
from leitstand.settings import Settings
from tests.integration.checks.planting import open_up, plant_nonsense
from tests.people import Visitor, join, visit
from web.app import create

# What they hang on, where that is no workspace; each stands in both of them.
HANGS_ON = {
    "companion": ("item_id", "item"),
    "companion_version": ("companion_id", "item"),
    "favorite": ("item_id", "item"),
    "item_reference": ("from_id", "item"),
    "item_version": ("item_id", "item"),
    "recent": ("item_id", "item"),
    "report_mail": ("report_id", "report"),
} | dict.fromkeys(PEOPLE, ("person_id", "person"))
# Rows of nonsense are alike; open_up drops the constraints alone.
WITHOUT_UNIQUENESS = """
DO $$ DECLARE it record; BEGIN
    FOR it IN SELECT indexrelid::regclass AS name FROM pg_index JOIN pg_class ON pg_class.oid = indrelid
              WHERE indisunique AND NOT indisprimary AND relnamespace = 'public'::regnamespace
    LOOP EXECUTE format('DROP INDEX IF EXISTS %s CASCADE', it.name); END LOOP;
END $$;
"""
FIRST = ("workspace", "person", "membership", "item", "report")
OURS, THEIRS = (UUID(f"00000000-0000-7000-8000-0000000000{number}1") for number in "ab")


@pytest.fixture
def planted(cluster: Cluster, settings: Settings, engine: Engine) -> Engine:
    """A database with a row of each of two workspaces in every table that has rows of one."""
    with psycopg.connect(cluster.conninfo(str(engine.url.database))) as connection:
        open_up(connection)
        connection.execute(WITHOUT_UNIQUENESS)
        # The nonsense of one event is as old as its id, for which there is no month.
        connection.execute("CREATE TABLE event_pall PARTITION OF event DEFAULT")
        for table in (*FIRST, *sorted((WORKSPACES | PEOPLE).keys() - set(FIRST))):
            for number, workspace in enumerate((OURS, THEIRS)):
                plant_nonsense(connection, table, **_values(table, workspace, number))
        connection.commit()
    return engine


def _key(table: str) -> str:
    """The column that says whose a row is."""
    own = "workspace_id" if "workspace_id" in Base.metadata.tables[table].columns else "id"
    return HANGS_ON[table][0] if table in HANGS_ON else own


def _values(table: str, workspace: UUID, number: int) -> dict[str, str]:
    ours = f"uuid '{workspace}'"
    columns = Base.metadata.tables[table].columns
    values = {_key(table): ours}
    if table in {"workspace", "person", "item", "report"}:
        values["id"] = ours
    for column in columns:
        if column.primary_key and isinstance(column.type, Text):
            values[column.name] = f"'{number}'"
    if table == "membership":
        values["person_id"] = ours
    return values


@contextmanager
def within(engine: Engine, workspace: UUID = OURS) -> Iterator[Session]:
    """A transaction of a member of a workspace, which is not kept."""
    with Session(engine) as session:
        enter(session, workspace_id=workspace, person_id=workspace)
        yield session


def test_every_table_has_a_rule(engine: Engine) -> None:
    assert Base.metadata.tables.keys() <= RULES.keys(), (
        "say in leitstand/db/row_rules.py what requests may do with it"
    )
    named = {t.name for t in Base.metadata.tables.values() if "workspace_id" in t.columns}
    assert named <= WORKSPACES.keys(), "rows that name a workspace belong behind the wall"
    assert not named & ENVIRONMENT.keys()
    assert gaps(engine) == []


def test_statements_without_a_condition_meet_one_workspace(planted: Engine) -> None:
    """Read, change and delete everything, in every table: the other workspace's row is neither seen nor touched."""
    with Session(planted) as session:
        for table in WORKSPACES | PEOPLE:
            assert session.scalar(text(f"SELECT count(*) FROM {table}")) == 2, table
    for table, rule in (WORKSPACES | PEOPLE).items():
        column = Base.metadata.tables[table].columns.keys()[0]
        for right, statement in (
            ("S", f"SELECT * FROM {table}"),
            ("U", f"UPDATE {table} SET {column} = {column}"),
            ("D", f"DELETE FROM {table}"),
        ):
            with within(planted) as session:
                if right in rule.rights:
                    assert session.execute(text(statement)).rowcount == 1, statement
                else:
                    with pytest.raises(ProgrammingError, match="permission denied"):
                        session.execute(text(statement))


def test_a_row_of_another_workspace_is_neither_added_nor_made_of_ones_own(
    planted: Engine, cluster: Cluster
) -> None:
    """Not even by somebody who may ignore constraints, so that nothing but the wall refuses it."""
    with psycopg.connect(cluster.conninfo(str(planted.url.database)), autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        for table, rule in (WORKSPACES | PEOPLE).items():
            place = sql.Identifier(table), sql.Identifier(_key(table)), sql.Literal(THEIRS)
            with _refused(connection, "I" in rule.rights):
                connection.execute(sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(*place))
            with _refused(connection, "U" in rule.rights):
                connection.execute(sql.SQL("UPDATE {} SET {} = {}").format(*place))


@contextmanager
def _refused(connection: psycopg.Connection, may: bool) -> Iterator[None]:
    """A member's transaction that is refused: by the wall where they may do such a thing at all, else before."""
    said = "row-level security" if may else "permission denied"
    with connection.transaction(force_rollback=True):
        connection.execute(
            "SELECT set_config('role', %s, true), set_config('leitstand.workspace', %s, true),"
            " set_config('leitstand.person', %s, true)",
            [MEMBER, str(OURS), str(OURS)],
        )
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match=said):
            yield


def test_nobody_who_has_not_entered_a_workspace_sees_anything(planted: Engine) -> None:
    with Session(planted) as session:
        session.execute(text("SELECT set_config('role', :role, true)"), {"role": MEMBER})
        assert session.scalars(select(Item)).all() == []


def test_nothing_of_it_stays_on_the_connection(engine: Engine, workspace: Workspace) -> None:
    """After a commit, a roll-back and an error alike."""
    asked = text("SELECT current_user, current_setting('role'), current_setting('leitstand.workspace', true)")
    single = engine.execution_options()
    for ending in ("commit", "rollback", "error"):
        with Session(single) as session:
            pid = session.scalar(text("SELECT pg_backend_pid()"))
            enter(session, workspace_id=workspace.id)
            assert session.execute(asked).one()[0] == MEMBER
            if ending == "error":
                with pytest.raises(DBAPIError):
                    session.execute(text("SELECT 1/0"))
            elif ending == "commit":
                session.commit()
        with Session(single) as session:
            assert session.scalar(text("SELECT pg_backend_pid()")) == pid, "the same connection"
            user, role, entered = session.execute(asked).one()
            assert (user, role, entered or "") == ("leitstand", "none", "")


def test_lifted_ends_with_its_block(engine: Engine, workspace: Workspace) -> None:
    user = text("SELECT current_user")
    with Session(engine) as session:
        enter(session, workspace_id=workspace.id)
        with lifted(session, "a test"):
            assert session.scalar(user) == "leitstand"
            with lifted(session, "once more"):
                pass
            assert session.scalar(user) == "leitstand"
        assert session.scalar(user) == MEMBER
        with pytest.raises(KeyError), lifted(session, "a test"):
            raise KeyError
        assert session.scalar(user) == MEMBER
        with pytest.raises(DBAPIError), session.begin_nested(), lifted(session, "a test"):
            session.execute(text("SELECT 1/0"))
        assert session.scalar(user) == MEMBER

        @beyond("a test")
        def outside(session: Session) -> object:
            return session.scalar(user)

        assert outside(session) == "leitstand"
        assert session.scalar(user) == MEMBER


def test_searches_keep_their_indexes(engine: Engine) -> None:
    """What a condition compares with has to be known to tell nothing, else an index on it is no use to a member."""
    operators = (
        "=(text,text)", "<(text,text)", "~~(text,text)", "~~*(text,text)", "<%(text,text)", "=(uuid,uuid)",
        "<(timestamptz,timestamptz)", "@>(anyarray,anyarray)", "@@(tsvector,tsquery)",
    )  # fmt: skip
    telling = text("""
        SELECT operator FROM unnest(CAST(:operators AS text[])) AS operator
        JOIN pg_operator ON pg_operator.oid = CAST(operator AS regoperator)
        JOIN pg_proc ON pg_proc.oid = oprcode WHERE NOT proleakproof
    """)
    with within(engine) as session:
        assert session.scalars(telling, {"operators": list(operators)}).all() == []


def test_a_member_makes_and_changes_no_table(engine: Engine, workspace: Workspace) -> None:
    for statement in (
        "CREATE TABLE mine (id int)",
        "ALTER TABLE item DISABLE ROW LEVEL SECURITY",
        "TRUNCATE item",
    ):
        with (
            within(engine) as session,
            pytest.raises(ProgrammingError, match=r"permission denied|must be owner"),
        ):
            session.execute(text(statement))


def test_a_forgotten_filter_leaks_nothing(
    settings: Settings, session: Session, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one condition of every query on items is gone; the pages show what is the workspace's all the same."""
    other = Workspace(slug="other", name="Other")
    session.add(other)
    session.commit()
    app = create()
    visitors: list[Visitor] = []
    for place, title in ((workspace, "Amsel"), (other, "Zebrafink")):
        visitor = visit(app, session, join(session, place))
        companions.create(session, principal=visitor.principal, title=title, tags=[])
        session.commit()
        visitors.append(visitor)

    def everything(asking: visibility.Who) -> object:
        return Item.deleted_at.is_(None)

    from leitstand.catalogue import listing, search

    for module in (visibility, listing, search):
        monkeypatch.setattr(module, "seen_by", everything)
    with transaction() as bare:
        assert len(bare.scalars(select(Item).where(listing.visible(visitors[0].principal))).all()) == 2
    for path in ("/companions", "/search?q=Zebrafink", "/companions?q=e"):
        page = visitors[0].get(path)
        assert page.status_code == 200
        assert "Zebrafink</" not in page.text
    assert "Amsel" in visitors[0].get("/companions").text


def test_a_wall_with_a_gap_is_told_and_built_again(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE item DISABLE ROW LEVEL SECURITY"))
        connection.execute(text(f"GRANT DELETE ON audit_entry TO {MEMBER}"))
    assert sorted(gaps(engine)) == [
        "audit_entry has another rule, or other rights",
        "item has another rule, or other rights",
    ]
    with engine.begin() as connection:
        row_security.build(connection)
    assert gaps(engine) == []
