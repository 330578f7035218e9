"""How many statements a page needs: as many with a hundred items as with one."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Engine, event, select
from sqlalchemy.orm import Session

from leitstand.catalogue import companions, favorites, recents
from leitstand.db.models import CompanionVersion, Person
from leitstand.identity.access import Principal
from tests.people import Visitor


@contextmanager
def statements(engine: Engine) -> Iterator[list[str]]:
    """The statements that the engine executes meanwhile."""
    seen: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        seen.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", note)


def fill(session: Session, principal: Principal, count: int) -> str:
    """Companions with versions, each a favorite and used; the address of one of them."""
    author = session.scalars(select(Person)).first()
    assert author
    for number in range(count):
        item = companions.create(session, principal=principal, title=f"C{number}", tags=["a", "b"])
        session.add_all(
            CompanionVersion(companion_id=item.id, number=n, flow={}, created_by=author.id) for n in (1, 2, 3)
        )
        favorites.add_favorite(session, principal=principal, item_id=item.id)
        recents.note_use(session, principal=principal, item=item)
    session.commit()
    return f"/companions/{item.id}"


@pytest.mark.parametrize(
    ("page", "most"),
    [
        ("/", 7),
        ("/companions", 3),
        ("/companions?q=C&status=draft", 3),
        ("/agents?owner=me&sort=title", 3),
        ("companion", 15),
        ("/favorites", 3),
        ("/search?q=C", 6),
        ("/trash", 4),
        ("/operations", 30),
    ],
)
def test_a_page_needs_few_statements_however_much_there_is(
    visitor: Visitor, session: Session, engine: Engine, page: str, most: int
) -> None:
    address = fill(session, visitor.principal, 1)
    visitor.get(page if page != "companion" else address)
    counts = []
    for more in (0, 40):
        if more:
            address = fill(session, visitor.principal, more)
        with statements(engine) as seen:
            assert visitor.get(page if page != "companion" else address).status_code == 200
        counts.append(len(seen))
    assert counts[1] <= counts[0], seen
    assert counts[1] <= most, seen
