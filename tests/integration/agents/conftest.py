"""People, an agent, an app and tools of one workspace."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from leitstand.agents import tools
from leitstand.agents.tools import configured
from leitstand.agents.tools.configured import Draft
from leitstand.catalogue import contents
from leitstand.db.models import Item, Thread, ThreadStep, Tool, Workspace
from leitstand.identity.access import Principal
from tests.people import acting, join

Add = Callable[..., Tool]
Use = Callable[..., str]
INPUTS = [
    {"name": "topic", "label": "Topic", "field": "text", "required": True},
    {"name": "length", "label": "Length", "field": "number"},
    {"name": "tone", "label": "Tone", "field": "choice", "options": ["dry", "warm"]},
]


@pytest.fixture
def anna(session: Session, workspace: Workspace) -> Principal:
    """A member."""
    return acting(session, workspace, join(session, workspace, role="member", name="Anna"))


@pytest.fixture
def boss(session: Session, workspace: Workspace) -> Principal:
    """An owner of the workspace."""
    return acting(session, workspace, join(session, workspace, name="Boss"))


@pytest.fixture
def agent(session: Session, boss: Principal) -> Item:
    """An agent that everybody of the workspace may see."""
    content = {"instructions": "Be brief.", "model": "small", "tools": ["mail"], "limits": {"steps": 5}}
    made = contents.create(session, principal=boss, kind="agent", title="Helper", content=content)
    session.commit()
    return made


@pytest.fixture
def app(session: Session, boss: Principal, agent: Item) -> Item:
    """An app of it."""
    content = {"agent_id": str(agent.id), "inputs": INPUTS, "output": "list"}
    made = contents.create(session, principal=boss, kind="app", title="Writer", content=content)
    session.commit()
    return made


def waiting(session: Session, thread: Thread, *, tools: int = 1) -> list[ThreadStep]:
    """Let a thread be where a worker leaves it: tools wait for approval."""
    thread.status = "waiting"
    steps = [
        ThreadStep(
            workspace_id=thread.workspace_id, thread_id=thread.id, position=at, kind="tool", status="waiting",
            name="mail", arguments={"to": "x"}, call_id=f"call-{at}",
        )
        for at in range(1, tools + 1)
    ]  # fmt: skip
    session.add_all(steps)
    session.commit()
    return steps


@pytest.fixture
def add(session: Session, owner: Principal) -> Add:
    """Adds a tool to the workspace of `owner`, or of another principal."""

    def adding(name: str, kind: str, *, by: Principal = owner, **more: Any) -> Tool:
        draft = Draft(name, kind, **({"description": "Does it."} | more))
        made = configured.create(session, principal=by, draft=draft)
        session.commit()
        return made

    return adding


@pytest.fixture
def use(engine: Engine, session: Session, owner: Principal) -> Use:
    """Uses the tool of that name as `owner` or somebody else, with arguments as a model writes them."""

    def using(
        name: str, arguments: Any = "", *, by: Principal = owner, spaces: Any = (), seconds: float = 10
    ) -> str:
        offered = tools.offered(session, workspace_id=by.workspace_id, names=[name], spaces=spaces)
        chosen = next(one for one in offered if one.name == name)
        session.commit()
        raw = arguments if isinstance(arguments, str) else json.dumps(arguments)
        return tools.use(
            engine, principal=by, offered=chosen, arguments=tools.checked_arguments(chosen, raw), spaces=spaces,
            key="step-1", seconds=seconds,
        ).text  # fmt: skip

    return using
