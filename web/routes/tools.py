"""Tools: listed, added, changed, tried, switched and removed; and chosen from a server that speaks MCP."""

from collections.abc import Sequence
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Request, Response
from sqlalchemy.orm import Session

from leitstand.agents.tools import configured, discovering, http_requests, kinds, testing
from leitstand.agents.tools.configured import Draft
from leitstand.agents.tools.flows import FLOWS
from leitstand.agents.tools.mcp import Listed
from leitstand.catalogue.listing import LARGEST_PAGE, Filters, find
from leitstand.db.engine import get_engine
from leitstand.db.models import Item, Tool
from leitstand.errors import Conflict, InvalidInput, LeitstandError, NotFound, TooLarge, Unavailable
from leitstand.identity.access import Principal, require
from serving.session import CurrentPrincipal, Db, paused, require_csrf
from web.pages import go, render
from web.tool_form import Chosen, Entered, Server

ADDRESS = "/settings/tools"
router = APIRouter(prefix=ADDRESS, include_in_schema=False)
CSRF = [Depends(require_csrf)]
REFUSALS = (InvalidInput, Conflict, NotFound, TooLarge, Unavailable)


@router.get("")
def list_page(request: Request, session: Db, principal: CurrentPrincipal) -> Response:
    """The workspace's tools, each with how it is."""
    found = configured.list_tools(session, principal=principal)
    return _page(request, principal, "tools.html", tools=found, kinds=kinds.KINDS, titles=kinds.BY_NAME)


@router.get("/new")
def new_page(request: Request, session: Db, principal: CurrentPrincipal, kind: str = "http") -> Response:
    """The form of a new one of a kind."""
    require(principal, "workspace:manage")
    return _form(request, session, principal, Entered.fresh(kinds.find(kind).name))


@router.post("/new", dependencies=CSRF)
def create(
    request: Request, session: Db, principal: CurrentPrincipal, entered: Annotated[Entered, Form()]
) -> Response:
    """Add it."""
    require(principal, "workspace:manage")
    kinds.find(entered.kind)
    try:
        made = configured.create(session, principal=principal, draft=entered.draft)
    except REFUSALS as error:
        return _form(request, session, principal, entered, error=error)
    return go(f"{ADDRESS}/{made.id}", "created")


@router.get("/server")
def server_page(request: Request, principal: CurrentPrincipal) -> Response:
    """The form that asks an MCP server for its tools."""
    require(principal, "workspace:manage")
    return _server(request, principal, Server())


@router.post("/server", dependencies=CSRF)
def look_at_server(
    request: Request, session: Db, principal: CurrentPrincipal, entered: Annotated[Server, Form()]
) -> Response:
    """Which tools the server has, to choose from."""
    require(principal, "workspace:manage")
    try:
        with paused(session, principal):
            found = discovering.discover(
                principal=principal, configuration=entered.server, secret=entered.secret
            )
        carried = discovering.carry(principal, entered.url, entered.secret.strip())
    except REFUSALS as error:
        return _server(request, principal, entered, error=error)
    return _server(request, principal, entered, listed=found, carried=carried)


@router.post("/choose", dependencies=CSRF)
def choose(
    request: Request, session: Db, principal: CurrentPrincipal, chosen: Annotated[Chosen, Form()]
) -> Response:
    """Add those that are chosen, all or none, as the server describes them now."""
    require(principal, "workspace:manage")
    try:
        secret = discovering.carried(principal, chosen.url, chosen.carried)
        with paused(session, principal):
            found = discovering.discover(principal=principal, configuration=chosen.server, secret=secret)
        wanted = [one for one in found if one.name in chosen.tools and not one.problem]
        if not wanted:
            raise InvalidInput("No tool is chosen.", hint="Choose at least one.")
        with session.begin_nested():
            for one in wanted:
                configured.create(session, principal=principal, draft=_draft(chosen, one, secret))
    except REFUSALS as error:
        return _server(
            request, principal, Server(**chosen.model_dump(include=set(Server.model_fields))), error=error
        )
    return go(ADDRESS, "tools-added")


@router.get("/{tool_id}")
def edit_page(request: Request, session: Db, principal: CurrentPrincipal, tool_id: UUID) -> Response:
    """The form of one that is there, and how it is tried; its secret is never shown."""
    tool = configured.get(session, principal=principal, tool_id=tool_id)
    return _form(request, session, principal, Entered.of(tool), tool=tool)


@router.post("/{tool_id}", dependencies=CSRF)
def save(
    request: Request,
    session: Db,
    principal: CurrentPrincipal,
    tool_id: UUID,
    entered: Annotated[Entered, Form()],
) -> Response:
    """Change it; a secret that is left empty stays as it is."""
    tool = configured.get(session, principal=principal, tool_id=tool_id)
    try:
        configured.update(session, principal=principal, tool_id=tool_id, draft=entered.draft)
    except REFUSALS as error:
        return _form(request, session, principal, entered, tool=tool, error=error)
    return go(f"{ADDRESS}/{tool_id}", "saved")


@router.post("/{tool_id}/test", dependencies=CSRF)
def test(
    request: Request,
    session: Db,
    principal: CurrentPrincipal,
    tool_id: UUID,
    arguments: Annotated[str, Form()] = "",
) -> Response:
    """Use it, really; the page says what a model would have been told, or what was wrong."""
    configured.get(session, principal=principal, tool_id=tool_id)
    with paused(session, principal):
        tried = testing.test(get_engine(), principal=principal, tool_id=tool_id, arguments=arguments)
    session.expire_all()
    tool = configured.get(session, principal=principal, tool_id=tool_id)
    more: dict[str, Any] = {"tool": tool, "tried": tried, "arguments": arguments}
    return _form(request, session, principal, Entered.of(tool), **more)


@router.post("/{tool_id}/refresh", dependencies=CSRF)
def refresh(request: Request, session: Db, principal: CurrentPrincipal, tool_id: UUID) -> Response:
    """Take over what its MCP server says of it now."""
    configured.get(session, principal=principal, tool_id=tool_id)
    try:
        with paused(session, principal):
            testing.refresh(get_engine(), principal=principal, tool_id=tool_id)
    except (InvalidInput, TooLarge, Unavailable) as error:
        tool = configured.get(session, principal=principal, tool_id=tool_id)
        return _form(request, session, principal, Entered.of(tool), tool=tool, error=error)
    return go(f"{ADDRESS}/{tool_id}", "tool-refreshed")


@router.post("/{tool_id}/switch", dependencies=CSRF)
def switch(
    session: Db, principal: CurrentPrincipal, tool_id: UUID, active: Annotated[bool, Form()] = False
) -> Response:
    """Turn it on or off."""
    configured.switch(session, principal=principal, tool_id=tool_id, active=active)
    return go(ADDRESS, "saved")


@router.post("/{tool_id}/remove", dependencies=CSRF)
def remove(session: Db, principal: CurrentPrincipal, tool_id: UUID) -> Response:
    """Take it away, with its secret."""
    configured.remove(session, principal=principal, tool_id=tool_id)
    return go(ADDRESS, "tool-removed")


def _draft(chosen: Chosen, one: Listed, secret: str) -> Draft:
    return Draft(
        discovering.suggested_name(one.name), "mcp", one.description or one.name, chosen.server | {"tool": one.name},
        one.parameters, secret, needs_approval=chosen.needs_approval,
    )  # fmt: skip


def _form(
    request: Request,
    session: Session,
    principal: Principal,
    form: Entered,
    *,
    tool: Tool | None = None,
    error: LeitstandError | None = None,
    **more: Any,
) -> Response:
    names: dict[str, Any] = {
        "tried": None, "arguments": "", "form": form, "tool": tool, "error": error, "kind": kinds.find(form.kind), "flows": FLOWS, "methods": http_requests.METHODS,
        "spaces": _spaces(session, principal) if form.kind == kinds.SPACE else (),
    }  # fmt: skip
    return _page(request, principal, "tool.html", **(names | more))


def _spaces(session: Session, principal: Principal) -> Sequence[Item]:
    """Those that can be chosen; whoever sets up tools need not read any."""
    if not principal.may("item:read"):
        return ()
    filters = Filters(kind=kinds.SPACE, sort="title")
    return find(session, principal=principal, filters=filters, limit=LARGEST_PAGE).items


def _server(
    request: Request,
    principal: Principal,
    form: Server,
    *,
    error: LeitstandError | None = None,
    listed: list[Listed] | None = None,
    carried: str = "",
) -> Response:
    names: dict[str, Any] = {"form": form, "error": error, "listed": listed, "carried": carried}
    return _page(request, principal, "tool_server.html", **names)


def _page(request: Request, principal: Principal, template: str, **more: Any) -> Response:
    return render(request, principal, template, area="tools", **more)
