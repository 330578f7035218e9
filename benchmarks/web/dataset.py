"""Ten workspaces of 100,000 items (seeded), the first with 1,000 members, groups, grants, favorites and flows."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection, Engine, func, select, text
from sqlalchemy.orm import Session

from leitstand.db.models import Item, Workspace
from leitstand.identity import people, sessions
from leitstand.identity.workspaces import ensure_workspace

EMAIL, PASSWORD = "benchmark@leitstand.local", "benchmark of pages"
GROUPS = 20
WORDS = [
    "onboarding",
    "billing",
    "support",
    "survey",
    "returns",
    "delivery",
    "warranty",
    "training",
    "safety",
    "feedback",
    "booking",
    "insurance",
    "library",
    "campus",
    "energy",
    "mobility",
    "health",
    "nutrition",
    "travel",
    "tax",
    "pension",
    "invoice",
    "contract",
    "recruiting",
    "mentoring",
    "quiz",
    "museum",
    "harvest",
    "weather",
    "traffic",
    "compliance",
    "privacy",
    "budget",
    "roadmap",
    "release",
    "incident",
    "handover",
    "inventory",
    "logistics",
    "kitchen",
    "garden",
    "concert",
    "tournament",
    "election",
    "archive",
    "translation",
    "interview",
    "workshop",
    "newsletter",
    "donation",
]
# What `number` (of the item) and the workspace's place make of one row: six kinds, five visibilities, three statuses.
ITEMS = """
INSERT INTO item (id, workspace_id, kind, title, description, status, visibility, owner_id, tags, created_at, updated_at)
SELECT uuidv7(number * interval '1 second' - interval '200 days'), :workspace,
       (ARRAY['companion', 'companion', 'agent', 'board', 'collection', 'space', 'control'])[1 + number % 7],
       initcap(word[1 + one % :words]) || ' ' || word[1 + two % :words] || ' ' || word[1 + (one / 64) % :words] || ' ' || number,
       CASE WHEN number % 3 < 2 THEN 'For ' || word[1 + two % :words] || ' and ' || word[1 + one % :words] || ', kept up to date every week.'
            ELSE '' END,
       (ARRAY['draft', 'published', 'published', 'archived'])[1 + (one / 8) % 4],
       (ARRAY['workspace', 'workspace', 'workspace', 'private', 'shared', 'official', 'internal'])[1 + (two / 8) % 7],
       (CAST(:people AS uuid[]))[1 + (one / 4) % cardinality(CAST(:people AS uuid[]))],
       (ARRAY[word[1 + two % :words], word[1 + (two / 64) % :words]])[1:number % 3],
       now() - number * interval '97 seconds', now() - (number * 61 % 8000000) * interval '1 second'
FROM (SELECT number, CAST(:named AS text[]) AS word, abs(hashint4(number)) AS one, abs(hashint4(number + :place * 1000003)) AS two
      FROM generate_series(1, :items) AS number) AS made
"""
MEMBERS = """
WITH made AS (
  INSERT INTO person (id, email, name)
  SELECT uuidv7(), 'person-' || number || '@' || :place || '.benchmark.test',
         initcap((CAST(:named AS text[]))[1 + number % :words]) || ' ' || initcap((CAST(:named AS text[]))[1 + number * 7 % :words])
  FROM generate_series(1, :members) AS number
  RETURNING id
)
INSERT INTO membership (workspace_id, person_id, role) SELECT :workspace, id, 'member' FROM made
"""
# Of each companion one version of a flow; of the member: groups, grants both ways, favorites and what they used last.
REST = (
    """INSERT INTO companion (item_id) SELECT id FROM item WHERE workspace_id = :workspace AND kind = 'companion'""",
    """INSERT INTO companion_version (companion_id, number, flow, created_by)
       SELECT id, 1, '{}', owner_id FROM item WHERE workspace_id = :workspace AND kind = 'companion'""",
    """INSERT INTO people_group (id, workspace_id, name)
       SELECT uuidv7(), :workspace, 'Group ' || number FROM generate_series(1, :groups) AS number""",
    """INSERT INTO group_member (group_id, person_id, workspace_id)
       SELECT people_group.id, membership.person_id, :workspace FROM people_group JOIN membership USING (workspace_id)
       WHERE workspace_id = :workspace AND (membership.person_id = :person OR hashtext(people_group.id::text || person_id::text) % 5 = 0)
         AND (membership.person_id <> :person OR right(people_group.name, 1) IN ('1', '5'))""",
    """INSERT INTO item_grant (id, workspace_id, item_id, group_id)
       SELECT uuidv7(), :workspace, item.id, chosen.id FROM item
       JOIN (SELECT id, row_number() OVER (ORDER BY name) AS place FROM people_group WHERE workspace_id = :workspace) AS chosen
         ON chosen.place = 1 + abs(hashtext(item.id::text)) % :groups
       WHERE item.workspace_id = :workspace AND visibility = 'shared' AND abs(hashtext(item.id::text)) % 7 = 0""",
    """INSERT INTO item_grant (id, workspace_id, item_id, person_id)
       SELECT uuidv7(), :workspace, id, :person FROM item WHERE workspace_id = :workspace AND visibility = 'shared'
       ORDER BY hashtext(id::text) LIMIT 50""",
    """INSERT INTO favorite (person_id, item_id, position)
       SELECT :person, id, row_number() OVER () FROM (SELECT id FROM item WHERE workspace_id = :workspace
       AND visibility = 'workspace' ORDER BY hashtext(id::text) LIMIT 40) AS chosen""",
    """INSERT INTO recent (person_id, item_id, used_at)
       SELECT :person, id, now() - row_number() OVER () * interval '5 hours' FROM (SELECT id FROM item
       WHERE workspace_id = :workspace AND visibility = 'workspace' ORDER BY hashtext(id::text) DESC LIMIT 80) AS chosen""",
)


@dataclass(frozen=True)
class Dataset:
    """What there is to open.

    Args:
        token: what the member's cookie holds.
        companions: some companions that the member may open.
        items: of all workspaces.
    """

    token: str
    companions: list[UUID]
    items: int


def make(engine: Engine, *, items: int, workspaces: int, members: int) -> Dataset:
    """Make so many workspaces of so many items in an empty database; what an earlier call made is used again.

    Raises:
        SystemExit: the database holds another number of items.
    """
    found = _count(engine)
    if not found:
        for place in range(workspaces):
            with engine.begin() as connection:
                _workspace(connection, place, items, members if place == 0 else max(1, members // 10))
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))
    elif found != items * workspaces:
        raise SystemExit(f"error: the folder has {found:,} items; name their number, or another folder")
    return _dataset(engine)


def _workspace(connection: Connection, place: int, items: int, members: int) -> None:
    with Session(connection) as session:
        workspace = ensure_workspace(session, slug=f"benchmark-{place}").id
        session.flush()
    shared = {"workspace": workspace, "place": place, "named": WORDS, "words": len(WORDS), "groups": GROUPS}
    connection.execute(text(MEMBERS), shared | {"members": members - 1})
    person = _member(connection, workspace) if place == 0 else None
    query = text("SELECT array_agg(person_id) FROM membership WHERE workspace_id = :workspace")
    everybody = connection.scalar(query, {"workspace": workspace})
    connection.execute(text(ITEMS), shared | {"items": items, "people": everybody})
    for statement in REST if place == 0 else REST[:2]:
        connection.execute(text(statement), shared | {"person": person})


def _member(connection: Connection, workspace_id: UUID) -> UUID:
    """Whoever opens the pages."""
    with Session(connection) as session:
        made = people.create_person(
            session,
            email=EMAIL,
            name="Bea Benchmark",
            password=PASSWORD,
            workspace_id=workspace_id,
            role="member",
        )
        session.flush()
        return made.id


def _dataset(engine: Engine) -> Dataset:
    with Session(engine) as session, session.begin():
        signed_in = sessions.sign_in(session, email=EMAIL, password=PASSWORD, address="", user_agent="")
        chosen = (
            select(Item.id)
            .join(Workspace, Workspace.id == Item.workspace_id)
            .where(Workspace.slug == "benchmark-0", Item.kind == "companion", Item.visibility == "workspace")
            .order_by(func.hashtext(Item.title))
            .limit(20)
        )
        return Dataset(signed_in.token, list(session.scalars(chosen)), _count(engine))


def _count(engine: Engine) -> int:
    with engine.connect() as connection:
        return int(connection.scalar(select(func.count()).select_from(Item)) or 0)
