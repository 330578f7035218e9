"""Agents and models: threads, failures and questions of a range, by hand."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.orm import Session

from leitstand.db.ids import lowest_uuid7
from leitstand.db.models import Item, ModelCall, Person, Thread, Workspace
from leitstand.errors import Forbidden
from leitstand.identity.access import Principal
from leitstand.insights import agents, usage
from leitstand.insights.scope import Scope
from tests.integration.insights.test_annotations import person
from tests.integration.insights.test_figures import rows_of

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def scope(workspace: Workspace) -> Scope:
    return Scope(workspace.id, None, date(2026, 3, 1), date(2026, 3, 3), "UTC")


def _agent(session: Session, workspace: Workspace, title: str, owner: Person | None = None) -> Item:
    visibility = "private" if owner else "workspace"
    made = Item(
        workspace_id=workspace.id,
        kind="agent",
        title=title,
        visibility=visibility,
        owner_id=owner and owner.id,
    )
    session.add(made)
    session.flush()
    return made


def _thread(
    session: Session, agent: Item | None, workspace: Workspace, status: str, *, at: datetime, **more: Any
) -> None:
    thread = Thread(
        id=UUID(int=lowest_uuid7(at).int + session.query(Thread).count()), workspace_id=workspace.id,
        agent_id=agent.id if agent else None, title="x", status=status, agent={}, limits={}, input={}, created_at=at, **more,
    )  # fmt: skip
    session.add(thread)
    session.flush()


@pytest.fixture
def worked(session: Session, workspace: Workspace) -> Item:
    """Five threads of an agent on two days, one of nobody's any more, one a day too late; and what models used."""
    agent = _agent(session, workspace, "Writer")
    for status, at, ms, error in (
        ("succeeded", NOON, 2_000, ""),
        ("succeeded", NOON, 10_000, ""),
        ("failed", NOON, 500, "The key is refused."),
        ("failed", NOON + DAY, 500, "The key is refused."),
        ("running", NOON + DAY, 0, ""),
    ):
        _thread(session, agent, workspace, status, at=at, worked_ms=ms, error=error, prompt_tokens=10, completion_tokens=5, cost=7)  # fmt: skip
    _thread(session, None, workspace, "cancelled", at=NOON)
    _thread(session, agent, workspace, "succeeded", at=NOON + 2 * DAY)
    for at, purpose, succeeded, ms in (
        (NOON, "agent", True, 1_000),
        (NOON, "agent", True, 3_000),
        (NOON + DAY, "agent", False, 9_000),
        (NOON + DAY, "ask", True, 500),
        (NOON + 2 * DAY, "ask", True, 1),
    ):
        session.add(
            ModelCall(
                workspace_id=workspace.id, at=at, purpose=purpose, endpoint="Local", model="small", succeeded=succeeded,
                prompt_tokens=100, completion_tokens=20, cost=3, milliseconds=ms,
            )
        )  # fmt: skip
    session.commit()
    return agent


def test_threads_by_day_and_outcome(session: Session, scope: Scope, worked: Item, owner: Principal) -> None:
    found = agents.threads_by_day(session, scope, principal=owner)
    assert rows_of(found) == [(date(2026, 3, 1), 2, 1, 1, 0), (date(2026, 3, 2), 0, 1, 0, 1)]
    # 12 o'clock in London is the next day on Kiribati.
    far = agents.threads_by_day(session, replace(scope, zone="Pacific/Kiritimati"), principal=owner)
    assert rows_of(far) == [(date(2026, 3, 2), 2, 1, 1, 0)]
    assert agents.days_with_any(session, scope, principal=owner) == (date(2026, 3, 1), date(2026, 3, 3))


def test_agents_and_what_they_used(session: Session, scope: Scope, worked: Item, owner: Principal) -> None:
    found = rows_of(agents.by_agent(session, scope, principal=owner))
    assert found[0] == ("Writer", 5, 2, 2, 75, 35, 6.0, pytest.approx(9.6))
    gone = found[1]
    assert (gone[:6], len(found)) == (("", 1, 0, 0, 0, 0), 2)
    failed = agents.failures(session, scope, principal=owner)
    assert rows_of(failed) == [("The key is refused.", 2, NOON + DAY)]


def test_questions_to_models(session: Session, scope: Scope, worked: Item, owner: Principal) -> None:
    days = agents.models_by_day(session, scope, principal=owner)
    assert rows_of(days) == [(date(2026, 3, 1), 2, 0, 240, 6), (date(2026, 3, 2), 2, 1, 240, 6)]
    found = rows_of(agents.by_model(session, scope, principal=owner))
    assert found == [
        ("agent", "Local", "small", 3, 1, 360, 9, 2.0, pytest.approx(2.9)),
        ("ask", "Local", "small", 1, 0, 120, 3, 0.5, 0.5),
    ]
    used = agents.used(session, scope, principal=owner)
    assert (used.questions, used.failed, used.tokens, used.cost, used.median) == (4, 1, 480, 12, 1.0)
    nothing = replace(scope, start=date(2025, 1, 1), end=date(2025, 1, 2))
    assert agents.used(session, nothing, principal=owner) == agents.Used(0, 0, 0, 0, None, None)
    months = usage.tokens_by_month(session, replace(scope, start=date(2026, 2, 28)))
    assert rows_of(months) == [(date(2026, 2, 1), 0, 0), (date(2026, 3, 1), 480, 12)]


def test_an_agent_that_one_may_not_open_counts_without_its_name_and_reasons(
    session: Session, scope: Scope, workspace: Workspace, owner: Principal
) -> None:
    bob = person(session, workspace, "analyst", "Bob")
    secret = _agent(session, workspace, "Secret plans", session.get(Person, bob.person_id))
    _thread(session, secret, workspace, "failed", at=NOON, error="secret-tool")
    session.commit()
    assert [row[:2] for row in rows_of(agents.by_agent(session, scope, principal=owner))] == [("", 1)]
    assert agents.failures(session, scope, principal=owner).empty
    assert [row[0] for row in rows_of(agents.by_agent(session, scope, principal=bob))] == ["Secret plans"]
    assert len(agents.failures(session, scope, principal=bob)) == 1


def test_another_workspace_has_none_and_a_member_gets_nothing(
    session: Session, scope: Scope, workspace: Workspace, worked: Item
) -> None:
    other = Workspace(slug="other", name="Other")
    session.add(other)
    session.flush()
    stranger, foreign = person(session, other, "owner"), replace(scope, workspace_id=other.id)
    member = person(session, workspace, "member")
    for ask in (
        agents.threads_by_day,
        agents.by_agent,
        agents.failures,
        agents.models_by_day,
        agents.by_model,
    ):
        assert ask(session, foreign, principal=stranger).empty
        with pytest.raises(Forbidden):
            ask(session, scope, principal=member)
    for tell in (agents.used, agents.days_with_any):
        with pytest.raises(Forbidden):
            tell(session, scope, principal=member)
    assert agents.used(session, foreign, principal=stranger).questions == 0
    assert agents.days_with_any(session, foreign, principal=stranger) == (None, None)
