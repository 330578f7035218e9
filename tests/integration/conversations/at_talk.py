"""Conversations whose answers a model writes, and the jobs that are run here as a worker does."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from leitstand.agents import running
from leitstand.conversations import agents, assistant
from leitstand.conversations.answering import answer
from leitstand.conversations.reading import Opened, Shown, open_one
from leitstand.db.models import Conversation, ConversationMessage, Workspace
from leitstand.identity.access import Principal
from leitstand.storage.objects import ObjectStorage
from tests.integration.agents.at_work import AtWork, bare, work
from tests.integration.agents.conftest import boss
from tests.people import acting, join

__all__ = ["AtTalk", "anna", "bare", "boss", "talk", "work"]
WAITING = "SELECT args ->> :argument FROM procrastinate_jobs WHERE task_name = :name AND status = 'todo' ORDER BY id"


@dataclass
class AtTalk:
    """Conversations of `anna`, in a workspace that is connected to a server of models."""

    work: AtWork
    anna: Principal

    def with_agent(self, question: str = "What is new?", **more: object) -> Conversation:
        """Begin one with an agent."""
        agent = self.work.agent(**more)
        made = agents.begin_with(self.work.session, principal=self.anna, agent_id=agent.id, question=question)
        self.work.session.commit()
        return made

    def with_assistant(self, question: str = "When is the yearly bonus paid?") -> Conversation:
        """Begin one with the assistant."""
        made = assistant.begin_asking(self.work.session, principal=self.anna, question=question)
        self.work.session.commit()
        return made

    def do_jobs(self) -> None:
        """Do what waits in the queue: questions to the assistant, then threads."""
        self.work.session.commit()
        for message_id in self._waiting("conversations.answer", "message_id"):
            self.answer(UUID(message_id))
        for thread_id in self._waiting("agents.run", "thread_id"):
            running.run(self.work.engine, thread_id=UUID(thread_id))

    def answer(self, message_id: UUID) -> None:
        """Write one answer, as a worker does."""
        answer(self.work.engine, ObjectStorage(self.work.settings), message_id=message_id)

    @contextmanager
    def answering(self, message_id: UUID) -> Iterator[None]:
        """Write one in a thread of its own, which has ended afterwards."""
        worker = threading.Thread(target=self.answer, args=(message_id,))
        worker.start()
        yield
        worker.join(30)
        assert not worker.is_alive()

    def _waiting(self, name: str, argument: str) -> list[str]:
        values = {"name": name, "argument": argument}
        return list(self.work.session.scalars(text(WAITING), values))

    def opened(self, conversation: Conversation, by: Principal | None = None) -> Opened:
        """The conversation as somebody reads it now."""
        session, item_id = self.work.session, conversation.item_id
        session.rollback()
        session.expire_all()
        return open_one(session, principal=by or self.anna, item_id=item_id)

    def said(self, conversation: Conversation, by: Principal | None = None) -> list[tuple[str, str, str]]:
        """Who said what on the chosen branch, and how it stands."""
        return [
            (one.message.said_by, one.text, one.message.status)
            for one in self.opened(conversation, by).messages
        ]

    def last(self, conversation: Conversation) -> Shown:
        """The last message of the chosen branch."""
        return self.opened(conversation).messages[-1]

    def message(self, conversation: Conversation, at: int) -> ConversationMessage:
        """A message of the chosen branch."""
        return self.opened(conversation).messages[at].message


@pytest.fixture
def anna(session: Session, workspace: Workspace) -> Principal:
    """A member."""
    return acting(session, workspace, join(session, workspace, role="member", name="Anna"))


@pytest.fixture
def talk(work: AtWork, anna: Principal, storage: ObjectStorage) -> AtTalk:
    """Anna, a model that answers, and a place for files."""
    return AtTalk(work, anna)
