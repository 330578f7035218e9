"""Tools of a workspace, and using them as a model does."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from leitstand.agents import tools
from leitstand.agents.tools import configured
from leitstand.agents.tools.configured import Draft
from leitstand.db.models import Tool
from leitstand.identity.access import Principal

Add = Callable[..., Tool]
Use = Callable[..., str]


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
        )  # fmt: skip

    return using
