"""Which endpoint is asked, what questions cost, and that plans have room for so many."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from leitstand.billing.usage import get_usage
from leitstand.db.models import ModelCall, Workspace, WorkspacePlan
from leitstand.errors import LimitReached, Unavailable
from leitstand.identity.access import Principal
from leitstand.integrations import model_endpoints
from leitstand.integrations.model_endpoints import Draft
from leitstand.language_models.calls import Asker, ask, cost_of, record, tokens_since
from leitstand.language_models.chat import Message, Spent
from leitstand.language_models.endpoints import Target, choose
from leitstand.limits import room
from leitstand.limits.plans import Limits, Plan
from tests.model_server import ModelServer, refuses, says

QUESTION = [Message("user", "How are you?")]


def kept(session: Session) -> list[ModelCall]:
    session.expire_all()
    return list(session.scalars(select(ModelCall).order_by(ModelCall.id)))


def test_the_default_endpoint_is_asked_first_and_only_for_what_it_offers(
    session: Session, owner: Principal, models: ModelServer
) -> None:
    def made(name: str, *offered: str, is_default: bool = False, active: bool = True, key: str = "") -> None:
        draft = Draft(name, models.base_url, key, offered, is_default=is_default, active=active)
        model_endpoints.create(session, principal=owner, draft=draft)

    def chosen(model: str = "") -> tuple[str, str] | None:
        found = choose(session, owner.workspace_id, model)
        return found and (found.name, found.model)

    assert chosen() is None
    made("Off", "small", "large", active=False)
    made("Empty")
    assert chosen() is None and chosen("small") is None
    made("B", "large", "small", key="sk-b")
    made("A", "small")
    assert chosen() == ("A", "small") and chosen("large") == ("B", "large")
    made("Z", "small", "tiny", is_default=True)
    assert chosen() == ("Z", "small") and chosen("small") == ("Z", "small") and chosen("huge") is None
    large = choose(session, owner.workspace_id, "large")
    assert large is not None and large.key == "sk-b" and "sk-b" not in repr(large)
    other = Workspace(slug="other", name="Other")
    session.add(other)
    session.flush()
    assert choose(session, other.id, "small") is None


def test_each_question_is_kept_with_its_cost_also_one_that_failed(
    engine: Engine, session: Session, owner: Principal, models: ModelServer, target: Target
) -> None:
    asker = Asker(owner.workspace_id, "ask", person_id=owner.person_id)
    models.answer(says("Well.", usage=(1_000, 7)), refuses(500))
    assert ask(engine, target, QUESTION, asker=asker, seconds=20, longest=100).text == "Well."
    with pytest.raises(Unavailable):
        ask(engine, target, QUESTION, asker=asker, seconds=20, longest=100)
    first, second = kept(session)
    assert (first.endpoint, first.model, first.purpose, first.person_id) == (
        "Models",
        "small",
        "ask",
        owner.person_id,
    )
    # A thousand at 0.15 a million and seven at 0.60: 150 and 4.2 millionths.
    assert (first.succeeded, first.prompt_tokens, first.completion_tokens, first.cost) == (
        True,
        1_000,
        7,
        155,
    )
    assert (second.succeeded, second.prompt_tokens, second.cost) == (False, 0, 0)
    models.answer(says("broken off", breaks_off=True))
    with pytest.raises(Unavailable):
        ask(engine, target, QUESTION, asker=asker, seconds=20, longest=100)
    assert kept(session)[2].prompt_tokens > 0 and kept(session)[2].cost > 0  # fmt: skip


def test_costs_are_whole_and_never_less_than_they_are(target: Target) -> None:
    assert cost_of(target, Spent(0, 0)) == 0
    assert cost_of(target, Spent(1, 0)) == 1
    assert cost_of(target, Spent(1_000_000, 1_000_000)) == 750_000


def test_a_plan_has_room_for_so_many_tokens_a_month(
    engine: Engine, session: Session, owner: Principal, models: ModelServer, target: Target
) -> None:
    asker, now = Asker(owner.workspace_id, "ask"), datetime.now(UTC)
    plan = Plan(name="small", title="Small", limits=Limits(model_tokens_a_month=100))
    session.add(
        WorkspacePlan(workspace_id=owner.workspace_id, plan=plan.name, terms=plan.model_dump(mode="json"))
    )
    old = record(session, target=target, asker=asker, spent=Spent(500, 500), succeeded=True, milliseconds=1)
    old.at = now - timedelta(days=40)
    session.commit()
    room.forget(owner.workspace_id)
    models.answer(says("Well.", usage=(60, 40)))
    ask(engine, target, QUESTION, asker=asker, seconds=20, longest=100)
    with pytest.raises(LimitReached, match="room for 100 tokens of models a month, and 100 are used"):
        ask(engine, target, QUESTION, asker=asker, seconds=20, longest=100)
    assert len(models.asked) == 1
    assert tokens_since(session, owner.workspace_id, now - timedelta(days=50)) == 1_100
    meters = {meter.what: (meter.used, meter.limit) for meter in get_usage(session, principal=owner).meters}
    assert meters["model_tokens_a_month"] == (100, 100)  # fmt: skip
