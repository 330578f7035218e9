"""Conversations of before branches keep their order, and those of after find a way back into the earlier form."""

from alembic import command
from sqlalchemy import Engine, select, text
from sqlalchemy.orm import Session

from leitstand.conversations import agents, talking
from leitstand.conversations.reading import open_one
from leitstand.db import migrate
from leitstand.db.models import Item
from tests.integration.conversations.at_talk import AtTalk, anna, bare, boss, talk, work
from tests.model_server import models
from tests.receiver import receiver

__all__ = ["anna", "bare", "boss", "models", "receiver", "talk", "work"]


def test_conversations_go_back_and_forth(talk: AtTalk, engine: Engine, session: Session) -> None:
    kept = talk.with_assistant()
    talk.do_jobs()
    talking.go_on(session, item_id=kept.item_id, question="And then?", principal=talk.anna)
    with_agent = agents.begin_with(
        session, agent_id=talk.work.agent().id, question="What?", principal=talk.anna
    )
    item_id, gone = kept.item_id, with_agent.item_id
    session.commit()
    session.close()
    with engine.begin() as connection:
        config = migrate._config()
        config.attributes["connection"] = connection
        command.downgrade(config, "0027_agents")
    migrate.upgrade(engine)
    with engine.begin() as connection:
        assert connection.scalar(text("SELECT count(*) FROM conversation WHERE leaf = 0")) == 0
    opened = open_one(session, principal=talk.anna, item_id=item_id)
    assert [one.message.parent for one in opened.messages] == [None, 1, 2, 3]
    assert session.scalar(select(Item.id).where(Item.id == gone)) is None
