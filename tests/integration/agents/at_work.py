"""Agents at work: a model that answers as it is told, tools that do something, and threads that are run here."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import Engine, select, text
from sqlalchemy.orm import Session

from leitstand.agents import running, starting
from leitstand.agents.tools import configured
from leitstand.agents.tools.configured import Draft as ToolDraft
from leitstand.catalogue import contents
from leitstand.db.models import AuditEntry, Item, ModelCall, Thread, ThreadStep, Tool
from leitstand.db.models.base import new_id
from leitstand.identity.access import Principal
from leitstand.integrations import model_endpoints
from leitstand.integrations.model_endpoints import Draft
from leitstand.language_models import breaker, chat
from leitstand.settings import Settings
from tests.model_server import ModelServer
from tests.receiver import Receiver

TEXT = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}


@dataclass
class AtWork:
    """One workspace whose agents ask `models` and whose tools ask `receiver`, as `boss`."""

    engine: Engine
    session: Session
    boss: Principal
    models: ModelServer
    receiver: Receiver
    settings: Settings

    def connect(self) -> None:
        """Let the workspace ask the server of models; a million tokens cost 1."""
        draft = Draft("Models", self.models.base_url, self.models.key, ("small",), True, True, "1", "1")
        model_endpoints.create(self.session, principal=self.boss, draft=draft)
        self.session.commit()

    def tool(self, name: str, **more: Any) -> Tool:
        """Add a tool that posts a text to the receiver."""
        given = {"description": "Does it.", "parameters": TEXT} | more
        given.setdefault("configuration", {"method": "POST", "url": f"{self.receiver.url}/{name}"})
        made = configured.create(self.session, principal=self.boss, draft=ToolDraft(name, "http", **given))
        self.session.commit()
        return made

    def agent(self, *tools: str, **more: Any) -> Item:
        """Add an agent."""
        content = {"instructions": "Be brief.", "tools": list(tools), **more}
        title = f"Agent {new_id()}"
        made = contents.create(self.session, principal=self.boss, kind="agent", title=title, content=content)
        self.session.commit()
        return made

    def begin(
        self,
        *tools: str,
        asked: str = "Do it.",
        by: Principal | None = None,
        agent: Item | None = None,
        **more: Any,
    ) -> Thread:
        """Begin a thread of an agent with these tools."""
        agent = agent or self.agent(*tools, **more)
        thread = starting.begin(self.session, principal=by or self.boss, agent_id=agent.id, text=asked)
        self.session.commit()
        return thread

    def run(self, thread: Thread) -> Thread:
        """Work on a thread, as a worker does."""
        running.run(self.engine, thread_id=thread.id)
        return self.see(thread)

    def see(self, thread: Thread) -> Thread:
        """A thread as it is now."""
        self.session.rollback()
        self.session.expire_all()
        return self.session.get_one(Thread, thread.id)

    def steps(self, thread: Thread) -> Sequence[ThreadStep]:
        """The steps of a thread."""
        self.see(thread)
        query = select(ThreadStep).where(ThreadStep.thread_id == thread.id).order_by(ThreadStep.position)
        return self.session.scalars(query).all()

    def told(self, thread: Thread) -> list[tuple[str, str, str]]:
        """Kind, name and status of each step."""
        return [(step.kind, step.name, step.status) for step in self.steps(thread)]

    def results(self) -> list[str]:
        """What the model was last told of tools."""
        return [one["content"] for one in self.models.told() if one["role"] == "tool"]

    def questions(self) -> Sequence[ModelCall]:
        """What was paid for."""
        self.session.rollback()
        return self.session.scalars(select(ModelCall).order_by(ModelCall.id)).all()

    def uses(self) -> int:
        """How often tools were used, as the audit log has it."""
        self.session.rollback()
        return len(self.session.scalars(select(AuditEntry).where(AuditEntry.action == "tool.use")).all())

    def jobs(self, thread: Thread) -> int:
        """How many jobs that have not ended work on a thread."""
        self.session.rollback()
        query = "SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'agents.run' AND status IN ('todo', 'doing') AND args ->> 'thread_id' = :id"
        return int(self.session.execute(text(query), {"id": str(thread.id)}).scalar_one())


@pytest.fixture
def bare(
    engine: Engine, session: Session, boss: Principal, receiver: Receiver, models: ModelServer, settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> AtWork:  # fmt: skip
    """A workspace that is connected to no model yet; what fails is tried again at once."""
    monkeypatch.setattr(chat, "FIRST_WAIT_SECONDS", 0.01)
    monkeypatch.setattr(chat, "breaker", breaker.Breaker())
    return AtWork(engine, session, boss, models, receiver, settings)


@pytest.fixture
def work(bare: AtWork) -> AtWork:
    """The same, connected."""
    bare.connect()
    return bare
