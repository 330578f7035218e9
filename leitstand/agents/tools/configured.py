"""Tools as a workspace sets them up: listed, added, changed, switched, removed."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from leitstand.agents.tools import passages, signing_in
from leitstand.agents.tools.kinds import SPACE, find
from leitstand.agents.tools.mcp import Listed
from leitstand.catalogue.items import get_item
from leitstand.db.models import Tool
from leitstand.db.models.base import new_id
from leitstand.errors import Conflict, InvalidInput, NotFound
from leitstand.identity import audit
from leitstand.identity.access import Principal, require, require_member
from leitstand.identity.sealed import place_of_tool
from leitstand.identity.sealing import seal
from leitstand.integrations import servers
from leitstand.language_models.material import as_written
from leitstand.words import msg

# What models' servers take as the name of a function.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
LONGEST_DESCRIPTION, MOST = 4_000, 200


@dataclass(frozen=True)
class Draft:
    """What is entered; an empty secret leaves the one that is there, `forget_secret` takes it away."""

    name: str
    kind: str = "http"
    description: str = ""
    configuration: Mapping[str, Any] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    secret: str = field(default="", repr=False)
    needs_approval: bool = False
    repeatable: bool = False
    active: bool = True
    forget_secret: bool = False


@dataclass(frozen=True)
class Named:
    """What everybody who makes agents may know of a tool."""

    name: str
    kind: str
    description: str
    needs_approval: bool


def list_tools(session: Session, *, principal: Principal) -> list[Tool]:
    """The workspace's own, by name.

    Raises:
        Forbidden: without `workspace:manage`.
    """
    require(principal, "workspace:manage")
    query = select(Tool).where(Tool.workspace_id == principal.workspace_id).order_by(Tool.name)
    return list(session.scalars(query))


def names(session: Session, *, principal: Principal) -> list[Named]:
    """The active tools of the workspace, by name, for whoever makes agents: neither address nor anything else of them.

    Raises:
        Forbidden: without `item:read`, or from outside of the organisation.
    """
    require(principal, "item:read")
    require_member(principal)
    query = select(Tool.name, Tool.kind, Tool.description, Tool.needs_approval).where(
        Tool.workspace_id == principal.workspace_id, Tool.active
    )
    return [Named(*row) for row in session.execute(query.order_by(Tool.name))]


def get(session: Session, *, principal: Principal, tool_id: UUID, lock: bool = False) -> Tool:
    """One of the workspace's own.

    Raises:
        NotFound: there is none of that id here.
        Forbidden: without `workspace:manage`.
    """
    require(principal, "workspace:manage")
    query = select(Tool).where(Tool.workspace_id == principal.workspace_id, Tool.id == tool_id)
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    found = session.scalar(query)
    if found is None:
        raise NotFound("There is no such tool.")
    return found


def create(session: Session, *, principal: Principal, draft: Draft) -> Tool:
    """Add a tool.

    Raises:
        InvalidInput: a field is not fit.
        NotFound: there is no such space for the principal.
        Conflict: the name is taken, or there are too many.
        Forbidden: without `workspace:manage`.
    """
    require(principal, "workspace:manage")
    values = _checked(draft)
    _check_spaces(session, principal, values, before=())
    tool = Tool(
        id=new_id(),
        workspace_id=principal.workspace_id,
        kind=draft.kind,
        created_by=principal.actor,
        check_problem="",
        **values,
    )
    _check_room(session, tool)
    _keep_secret(tool, draft)
    session.add(tool)
    session.flush()
    _record(session, principal, "tool.create", tool, None, _shown(tool) | _new_secret(draft))
    return tool


def update(session: Session, *, principal: Principal, tool_id: UUID, draft: Draft) -> Tool:
    """Change a tool, or rotate its secret; of which kind it is stays.

    Raises:
        InvalidInput: a field is not fit, or the secret would go to another server than it was entered for.
        NotFound: there is none of that id here, or no such space.
        Conflict: the name is taken.
        Forbidden: without `workspace:manage`.
    """
    tool = get(session, principal=principal, tool_id=tool_id, lock=True)
    if draft.kind != tool.kind:
        raise InvalidInput("A tool stays of its kind.", hint="Add another one.")
    values, before = _checked(draft), _shown(tool)
    _check_spaces(session, principal, values, before=tool.configuration.get("spaces", ()))
    _require_secret_of(tool, values["configuration"], draft)
    _check_name(session, tool, values["name"])
    for name, value in values.items():
        setattr(tool, name, value)
    _keep_secret(tool, draft)
    servers.unchecked(tool)
    session.flush()
    old, new = audit.changed(before, _shown(tool) | _new_secret(draft))
    _record(session, principal, "tool.update", tool, old, new)
    return tool


def switch(session: Session, *, principal: Principal, tool_id: UUID, active: bool) -> Tool:
    """Turn a tool on or off; an agent that names one that is off is not offered it.

    Raises:
        NotFound: there is none of that id here.
        Forbidden: without `workspace:manage`.
    """
    tool = get(session, principal=principal, tool_id=tool_id, lock=True)
    if tool.active != active:
        tool.active = active
        session.flush()
        _record(session, principal, "tool.update", tool, {"active": not active}, {"active": active})
    return tool


def take_over(session: Session, *, principal: Principal, tool_id: UUID, found: Listed) -> Tool:
    """Keep what an MCP server says of its tool now.

    Raises:
        NotFound: there is none of that id here.
        Forbidden: without `workspace:manage`.
    """
    tool = get(session, principal=principal, tool_id=tool_id, lock=True)
    before = _shown(tool)
    tool.parameters, tool.description = found.parameters, found.description or tool.description
    servers.unchecked(tool)
    session.flush()
    old, new = audit.changed(before, _shown(tool))
    _record(session, principal, "tool.update", tool, old, new)
    return tool


def remove(session: Session, *, principal: Principal, tool_id: UUID) -> None:
    """Take a tool away, with its secret; agents that name it are not offered it any more.

    Raises:
        NotFound: there is none of that id here.
        Forbidden: without `workspace:manage`.
    """
    tool = get(session, principal=principal, tool_id=tool_id, lock=True)
    before = _shown(tool)
    session.delete(tool)
    session.flush()
    _record(session, principal, "tool.remove", tool, before, None)


def checked_tool_name(name: str) -> str:
    """A name that models take.

    Raises:
        InvalidInput: it has other letters, is too long, or is that of the built-in search.
    """
    name = name.strip()
    if not NAME.fullmatch(name):
        raise InvalidInput(
            "A tool's name has letters without accents, digits, - and _, at most 64 of them.",
            hint="It looks like find_order.",
        )
    if name == passages.NAME:
        raise InvalidInput(
            msg("The name {name} is that of the built-in search.", name=name), hint="Choose another name."
        )
    return name


def _checked(draft: Draft) -> dict[str, Any]:
    kind = find(draft.kind)
    description = as_written(draft.description)
    if not description or len(description) > LONGEST_DESCRIPTION:
        raise InvalidInput(
            msg("A description is needed, of at most {most:,} characters.", most=LONGEST_DESCRIPTION),
            hint="Models choose a tool by it.",
        )
    signing_in.checked_secret(draft.secret)
    if unknown := sorted(set(draft.configuration) - kind.members):
        raise InvalidInput(
            msg("A tool of this kind has no {name!r} in its configuration.", name=unknown[0][:100]),
            hint=msg("It may have {names}.", names=", ".join(sorted(kind.members))),
        )
    configuration, parameters = kind.check(draft.configuration, draft.parameters)
    if kind.ask is None and draft.secret.strip():
        raise InvalidInput("A tool of this kind has no secret.")
    return {
        "name": checked_tool_name(draft.name), "description": description, "configuration": configuration,
        "parameters": parameters, "needs_approval": draft.needs_approval,
        # A search changes nothing.
        "repeatable": draft.repeatable or draft.kind == SPACE, "active": draft.active,
    }  # fmt: skip


def _check_spaces(
    session: Session, principal: Principal, values: Mapping[str, Any], *, before: Sequence[str]
) -> None:
    """Those that were chosen before stay, also where whoever saves may not see them."""
    for one in values["configuration"].get("spaces", ()):
        if one not in before:
            get_item(session, principal=principal, item_id=UUID(one), kind=SPACE)


def _require_secret_of(tool: Tool, configuration: Mapping[str, Any], draft: Draft) -> None:
    if "url" in configuration and not draft.forget_secret:
        servers.require_key_of(
            configuration["url"],
            before=tool.configuration["url"],
            has_key=tool.secret is not None,
            key=draft.secret,
        )


def _check_room(session: Session, tool: Tool) -> None:
    _check_name(session, tool, tool.name)
    count = select(func.count()).select_from(Tool).where(Tool.workspace_id == tool.workspace_id)
    if (session.scalar(count) or 0) >= MOST:
        raise Conflict(
            msg("There are {most} tools already.", most=MOST), hint="Remove one that no agent uses."
        )


def _check_name(session: Session, tool: Tool, name: str) -> None:
    query = select(Tool.id).where(
        Tool.workspace_id == tool.workspace_id, Tool.name == name, Tool.id != tool.id
    )
    with session.no_autoflush:
        taken = session.scalar(query)
    if taken:
        raise Conflict(msg("There is a tool called {name}.", name=name), hint="Choose another name.")


def _keep_secret(tool: Tool, draft: Draft) -> None:
    if secret := signing_in.checked_secret(draft.secret):
        tool.secret = seal(secret, place=place_of_tool(tool.id))
    elif draft.forget_secret:
        tool.secret = None


def _new_secret(draft: Draft) -> dict[str, object]:
    return {"new_secret": bool(draft.secret.strip()), "secret_forgotten": draft.forget_secret}


def _shown(tool: Tool) -> dict[str, object]:
    """What the audit log keeps; never the secret."""
    return {
        "name": tool.name, "kind": tool.kind, "description": tool.description,
        "configuration": dict(tool.configuration), "parameters": dict(tool.parameters),
        "needs_approval": tool.needs_approval, "repeatable": tool.repeatable, "active": tool.active,
    }  # fmt: skip


def _record(
    session: Session,
    principal: Principal,
    action: str,
    tool: Tool,
    before: dict[str, object] | None,
    after: dict[str, object] | None,
) -> None:
    target = f"tool:{tool.id}"
    audit.record(session, principal=principal, action=action, target=target, before=before, after=after)
