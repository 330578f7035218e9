"""A companion, and a way to send events in transactions of their own."""

from collections.abc import Callable
from uuid import UUID

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from leitstand.catalogue.companions import ensure_companion
from leitstand.db.models import Workspace
from leitstand.events.ledger import IncomingEvent, record


@pytest.fixture
def companion(session: Session, workspace: Workspace) -> UUID:
    """A companion of the workspace."""
    found = ensure_companion(session, workspace_id=workspace.id, key="helper")
    session.commit()
    return found


@pytest.fixture
def send(engine: Engine, workspace: Workspace) -> Callable[..., list[str]]:
    """Sends events and gives what became of each."""

    def send(*events: IncomingEvent) -> list[str]:
        with Session(engine) as own, own.begin():
            return [it.verdict for it in record(own, workspace_id=workspace.id, events=events)]

    return send
