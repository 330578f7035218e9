"""The flows that keep the copies and check them."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from flows import copy_facts, data_checks
from leitstand.catalogue.companions import ensure_companion
from leitstand.db.exclusive import exclusive
from leitstand.db.ids import derived_uuid7
from leitstand.db.models import Workspace
from leitstand.errors import IntegrityFailed
from leitstand.events.ledger import IncomingEvent, record
from leitstand.insights.copy.copier import LOCK
from leitstand.insights.copy.copier import copy_facts as copy_all
from leitstand.settings import Settings

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def copied(engine: Engine, session: Session, settings: Settings, workspace: Workspace) -> Iterator[None]:
    """A workspace whose only run is copied."""
    companion = ensure_companion(session, workspace_id=workspace.id, key="helper")
    event = IncomingEvent(
        event_id=derived_uuid7(AT, b"x"), kind="answered", companion_id=companion, run_key="r", step="ask",
        actor_key="ann", occurred_at=AT,
    )  # fmt: skip
    record(session, workspace_id=workspace.id, events=[event])
    session.commit()
    copy_all(engine, settings, workspace=workspace.slug)
    yield


def test_the_flow_copies_what_came_to_rest_and_leaves_another_copier_alone(
    engine: Engine, session: Session
) -> None:
    session.execute(text("UPDATE run_fact SET events = 2"))
    session.commit()
    assert copy_facts.copy_all.fn() == []
    with exclusive(engine, LOCK):
        assert copy_facts.copy_all.fn() == []
    (copied,) = copy_facts.copy_all.fn()
    assert (copied["workspace"], copied["written"]) == ("demo", 1)


def test_the_checks_flow_fails_when_a_copy_differs(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    def hold(target: str) -> dict[str, Any]:
        return {"success": True, "results": []}

    monkeypatch.setattr(data_checks, "run_checks_of", hold)
    monkeypatch.setattr(data_checks, "check_copies_of", data_checks.check_copies_of.fn)
    data_checks.check_data.fn("ingestion")
    session.execute(text("ALTER TABLE actor_bucket DISABLE TRIGGER note_update"))
    session.execute(text("UPDATE actor_bucket SET events = 2"))
    session.execute(text("ALTER TABLE actor_bucket ENABLE TRIGGER note_update"))
    session.commit()
    with pytest.raises(IntegrityFailed, match="copy-equals-facts"):
        data_checks.check_data.fn("ingestion")
