"""Refusals come first: before anything is told, and before anything is written."""

from dataclasses import replace

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from leitstand.catalogue import companions
from leitstand.companions import versions
from leitstand.db.models import Item
from leitstand.errors import Forbidden
from leitstand.identity.access import Principal


def test_who_may_not_change_a_companion_is_not_told_what_is_published(
    session: Session, owner: Principal
) -> None:
    item = companions.create(session, principal=owner, title="Unpublished")
    reader = replace(owner, role="publisher", permissions=frozenset({"item:read", "item:publish"}))
    with pytest.raises(Forbidden):
        versions.roll_back(session, principal=reader, companion_id=item.id)


def test_who_may_not_read_items_makes_none(session: Session, owner: Principal) -> None:
    writer = replace(owner, role="writer", permissions=frozenset({"item:write"}))
    with pytest.raises(Forbidden):
        companions.create(session, principal=writer, title="Never seen")
    assert session.scalar(select(func.count()).select_from(Item)) == 0
