"""People, an agent and an app of one workspace."""

import pytest
from sqlalchemy.orm import Session

from leitstand.catalogue import contents
from leitstand.db.models import Item, Thread, ThreadStep, Workspace
from leitstand.identity.access import Principal
from tests.people import acting, join

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
