"""A tool is used: as the person, with what they may do now, noted before it happens, and with no transaction open."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from leitstand.agents.tools import arguments as given
from leitstand.agents.tools import flows, passages
from leitstand.agents.tools.asked import Asked
from leitstand.agents.tools.kinds import SPACE, find, parameters_of
from leitstand.agents.tools.offering import Offered
from leitstand.agents.tools.passages import Given
from leitstand.db import row_security
from leitstand.db.engine import transaction
from leitstand.db.models import Tool
from leitstand.errors import NotFound, Unavailable
from leitstand.identity import audit
from leitstand.identity.access import Principal, require
from leitstand.identity.sealed import place_of_tool
from leitstand.identity.sealing import open_sealed
from leitstand.settings import get_settings

ACTION = "tool.use"


def use(
    engine: Engine,
    *,
    principal: Principal,
    offered: Offered,
    arguments: dict[str, Any],
    spaces: Collection[UUID | str],
    key: str,
    seconds: float,
    tried: bool = False,
) -> Given:
    """Use a tool; what the model is told.

    Args:
        arguments: as `offering.checked_arguments` gives them; a tool that was changed since has them checked again.
        spaces: those of the agent, which the built-in search is for.
        key: names this use in the audit log, and to servers that know such keys (Idempotency-Key).
        seconds: for all of it.
        tried: whether somebody tries it who set it up: it may be off.

    Raises:
        Forbidden: the principal may not.
        NotFound: the tool is gone or off.
        InvalidInput: the arguments do not fit the tool as it is now.
        LeitstandError: the tool failed; its words can be told to the model.
    """
    require(principal, "item:read")
    ask = find(offered.kind).ask
    if ask is not None and get_settings().rehearsal:
        raise Unavailable(
            "Nothing is sent: this is a restored copy that is only tried out (LEITSTAND_REHEARSAL)."
        )
    with as_member(engine, principal) as session:
        tool = None if offered.tool_id is None else _found(session, principal, offered.tool_id, tried=tried)
        asked = asked_of(tool, arguments, key=key, seconds=seconds) if tool else None
        _note(session, principal, offered, arguments, key)
    if ask is not None and asked is not None:
        return Given(ask(asked))
    configuration = asked.configuration if asked else {"spaces": list(spaces)}
    with as_member(engine, principal) as session:
        return _within(session, principal, offered.kind, configuration, arguments, built_in=tool is None)


def asked_of(tool: Tool, arguments: dict[str, Any], *, key: str, seconds: float) -> Asked:
    """What is asked of a tool's server, with the secret opened.

    Raises:
        InvalidInput: the arguments do not fit the tool.
    """
    given.checked(parameters_of(tool), arguments)
    return Asked(tool.configuration, arguments, secret_of(tool), key, seconds)


def secret_of(tool: Tool) -> str:
    """What a tool signs in with; empty where that is nothing."""
    return open_sealed(tool.secret, place=place_of_tool(tool.id)) if tool.secret is not None else ""


def _found(session: Session, principal: Principal, tool_id: UUID, *, tried: bool) -> Tool:
    """The workspace's tool, as it is now."""
    query = select(Tool).where(Tool.workspace_id == principal.workspace_id, Tool.id == tool_id)
    found = session.scalar(query if tried else query.where(Tool.active))
    if found is None:
        raise NotFound("This tool is not there any more, or is off.")
    return found


def _within(
    session: Session,
    principal: Principal,
    kind: str,
    configuration: Mapping[str, Any],
    arguments: Mapping[str, Any],
    *,
    built_in: bool,
) -> Given:
    if kind != SPACE:
        return Given(
            flows.use(session, principal=principal, configuration=configuration, arguments=arguments)
        )
    spaces = [UUID(str(one)) for one in configuration.get("spaces", [])]
    # A tool that names no space searches all; the agent's own search never more than the agent's.
    chosen = spaces if spaces or built_in else None
    return passages.use(session, principal=principal, spaces=chosen, arguments=arguments)


def _note(
    session: Session, principal: Principal, offered: Offered, arguments: Mapping[str, Any], key: str
) -> None:
    audit.record(
        session,
        principal=principal,
        action=ACTION,
        target=f"tool:{offered.tool_id or offered.name}",
        after={"name": offered.name, "step": key, "arguments": given.shortened(dict(arguments))},
    )


@contextmanager
def as_member(engine: Engine, principal: Principal) -> Iterator[Session]:
    """A transaction that sees the rows of the principal's workspace alone."""
    with transaction(engine) as session:
        row_security.enter(session, workspace_id=principal.workspace_id, person_id=principal.person_id)
        yield session
