"""Companions whose events are sent and copied, for the tests of the copy and of the engines that read it."""

from collections.abc import Iterator
from datetime import date
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from leitstand.catalogue.companions import ensure_companion
from leitstand.db.models import Companion, Item, Workspace
from leitstand.embedded.postgres import Cluster
from leitstand.events.ledger import record
from leitstand.insights import opening
from leitstand.insights.copy.copier import Copied, copy_facts
from leitstand.insights.scope import Scope
from leitstand.settings import Settings
from tests.integration.insights.copies import Copy, Send, event, wait_for_older_transactions
from tests.integration.insights.truth import Truth, of_truth
from tests.services import TEMPLATE, cloned_database


@pytest.fixture
def settings(
    request: pytest.FixtureRequest, cluster: Cluster, services: dict[str, object]
) -> Iterator[Settings]:
    """Settings of an environment whose database is this test's own; the log of a `truth` is in it already."""
    given = getattr(request.node, "callspec", None)
    logs = [value for value in given.params.values() if isinstance(value, Truth)] if given else []
    template = of_truth(cluster, services, logs[0]) if logs else TEMPLATE
    with cloned_database(cluster, services, template=template) as settings:
        yield settings


@pytest.fixture
def companion(session: Session, workspace: Workspace) -> UUID:
    made = ensure_companion(session, workspace_id=workspace.id, key="helper")
    session.commit()
    return made


@pytest.fixture
def companions(session: Session, workspace: Workspace) -> list[UUID]:
    """Companions whose names sort by code point and by letter differently, an official one, and two with an end."""
    made = [
        ensure_companion(session, workspace_id=workspace.id, key=key) for key in ("zebra", "émile", "Zoe")
    ]
    for companion in made[:2]:
        session.get_one(Companion, companion).end_steps = ["done"]
    session.get_one(Item, made[0]).visibility = "official"
    session.commit()
    return made


@pytest.fixture
def send(session: Session, workspace: Workspace, companion: UUID) -> Send:
    def send(*runs_and_days: tuple[str, float]) -> None:
        events = [event(companion, run, day) for run, day in runs_and_days]
        record(session, workspace_id=workspace.id, events=events)
        session.commit()

    return send


@pytest.fixture
def copy(engine: Engine, settings: Settings, workspace: Workspace) -> Copy:
    def copy(**more: Any) -> list[Copied]:
        wait_for_older_transactions(engine)
        return copy_facts(engine, settings, workspace=workspace.slug, **more)

    return copy


@pytest.fixture
def scope(workspace: Workspace) -> Scope:
    return Scope(workspace.id, None, date(2026, 1, 1), date(2026, 6, 1), "Europe/Berlin")


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "_failed", {})
