"""A published companion for the tests of runs and of the public runtime."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.orm import Session

from leitstand.catalogue.companions import create
from leitstand.companions.flow import parse_flow
from leitstand.companions.runs import OpenCompanion, find_open
from leitstand.companions.versions import publish, save_version
from leitstand.identity.access import Principal
from tests.unit.companions.flows import booking

SLUG = "book-a-visit"
Publish = Callable[[dict[str, Any]], UUID]


@pytest.fixture
def publish_flow(session: Session, owner: Principal) -> Publish:
    """Saves and publishes a flow under `SLUG`; a second one becomes the next version."""
    made: list[UUID] = []

    def of(document: dict[str, Any]) -> UUID:
        flow = parse_flow(document)
        if not made:
            made.append(create(session, principal=owner, title=flow.title).id)
        save_version(session, principal=owner, companion_id=made[0], flow=flow)
        publish(session, principal=owner, companion_id=made[0], slug=SLUG)
        session.commit()
        return made[0]

    return of


@pytest.fixture
def companion(session: Session, publish_flow: Publish) -> OpenCompanion:
    """The flow `booking`, open to visitors."""
    publish_flow(booking())
    return find_open(session, SLUG)
