"""The collections of agents, boards, collections, spaces, controls and apps: one factory, one router a kind."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Body, Depends, Response, status
from pydantic import BaseModel

from api.items.filters import PAGE_SIZE, Limit, Wanted
from api.items.history import add_history
from api.items.models import ItemChange, ItemFull, ItemIn, RollBackIn
from api.items.tags import IfMatch, check_match, etag_of
from api.models import ItemOut, ItemPage, item_page
from leitstand.catalogue import contents, items, lifecycle, trash, versions
from leitstand.catalogue.kinds import KINDS, Kind
from leitstand.catalogue.listing import find
from leitstand.db.models import Item
from leitstand.identity.access import Principal
from serving.idempotency import OnceRoute
from serving.session import CurrentPrincipal, Db, require_csrf

CSRF = [Depends(require_csrf)]
STATES = {"publish": lifecycle.publish, "withdraw": lifecycle.withdraw, "archive": lifecycle.archive}


def routers() -> list[APIRouter]:
    """A router for every kind that has no module of its own."""
    return [_router(kind) for kind in KINDS.values() if kind.name != contents.FLOW_KIND]


def _router(kind: Kind) -> APIRouter:
    router = APIRouter(prefix=f"/{kind.slug}", tags=[kind.slug], route_class=OnceRoute)
    _add_list(router, kind)
    _add_item(router, kind)
    _add_states(router, kind)
    add_history(router, kind.name)
    return router


def _add_list(router: APIRouter, kind: Kind) -> None:
    shape: Any = ItemFull[kind.content]  # type: ignore[name-defined]
    new_shape: Any = ItemIn[kind.content]  # type: ignore[name-defined]

    @router.get("", name=f"list_{kind.name}s")
    def list_items(
        session: Db,
        principal: CurrentPrincipal,
        wanted: Wanted,
        cursor: str | None = None,
        limit: Limit = PAGE_SIZE,
    ) -> ItemPage:
        """Those that match, a page at a time."""
        filters = wanted.of(kind.name)
        found = find(session, principal=principal, filters=filters, cursor=cursor, limit=limit)
        return item_page(found.items, found.cursor)

    @router.post(
        "",
        name=f"create_{kind.name}",
        status_code=status.HTTP_201_CREATED,
        dependencies=CSRF,
        response_model=shape,
    )
    def create(
        session: Db, principal: CurrentPrincipal, new: Annotated[new_shape, Body()], response: Response
    ) -> dict[str, Any]:
        """Make one: a draft, your own."""
        item = contents.create(session, principal=principal, kind=kind.name, **_given(new))
        response.headers["Location"] = f"/api/v1/{kind.slug}/{item.id}"
        return _shown(session, principal, item.id, response)


def _add_item(router: APIRouter, kind: Kind) -> None:
    shape: Any = ItemFull[kind.content]  # type: ignore[name-defined]
    change_shape: Any = ItemChange[kind.content]  # type: ignore[name-defined]

    @router.get("/{item_id}", name=f"get_{kind.name}", response_model=shape)
    def read(session: Db, principal: CurrentPrincipal, item_id: UUID, response: Response) -> dict[str, Any]:
        """One with what it holds; its ETag goes into the If-Match of a change."""
        return _shown(session, principal, item_id, response, kind.name)

    @router.patch("/{item_id}", name=f"change_{kind.name}", dependencies=CSRF, response_model=shape)
    def change(
        session: Db,
        principal: CurrentPrincipal,
        item_id: UUID,
        change: Annotated[change_shape, Body()],
        response: Response,
        if_match: IfMatch = None,
    ) -> dict[str, Any]:
        """Change what is given; a new version where something changed."""
        _held(session, principal, item_id, kind.name, if_match)
        contents.save(session, principal=principal, item_id=item_id, **_given(change))
        return _shown(session, principal, item_id, response)

    @router.delete(
        "/{item_id}",
        name=f"delete_{kind.name}",
        status_code=status.HTTP_204_NO_CONTENT,
        dependencies=CSRF,
    )
    def delete(session: Db, principal: CurrentPrincipal, item_id: UUID, if_match: IfMatch = None) -> None:
        """Put one into the trash."""
        _held(session, principal, item_id, kind.name, if_match)
        trash.trash_item(session, principal=principal, item_id=item_id)


def _add_states(router: APIRouter, kind: Kind) -> None:
    shape: Any = ItemFull[kind.content]  # type: ignore[name-defined]

    @router.post(
        "/{item_id}/roll-back", name=f"roll_back_{kind.name}", dependencies=CSRF, response_model=shape
    )
    def roll_back(
        session: Db, principal: CurrentPrincipal, item_id: UUID, wanted: RollBackIn, response: Response
    ) -> dict[str, Any]:
        """Make a version the newest again, as a new version."""
        versions.roll_back(
            session, principal=principal, item_id=item_id, number=wanted.version, kind=kind.name
        )
        return _shown(session, principal, item_id, response)

    for name, use_case in STATES.items():
        _add_state(router, kind, name, use_case)


def _add_state(router: APIRouter, kind: Kind, name: str, use_case: Any) -> None:
    def act(session: Db, principal: CurrentPrincipal, item_id: UUID, response: Response) -> ItemOut:
        item = use_case(session, principal=principal, item_id=item_id, kind=kind.name)
        response.headers["ETag"] = etag_of(item)
        return ItemOut.model_validate(item)

    act.__doc__ = (use_case.__doc__ or "").partition("\n")[0]
    router.post(f"/{{item_id}}/{name}", dependencies=CSRF, name=f"{name}_{kind.name}")(act)


def _held(session: Db, principal: Principal, item_id: UUID, kind: str, if_match: str | None) -> Item:
    item = items.get_item(session, principal=principal, item_id=item_id, kind=kind, for_update=True)
    check_match(item, if_match)
    return item


def _given(body: BaseModel) -> dict[str, Any]:
    """The members of a body as arguments; the content as the model that it is."""
    return {name: getattr(body, name) for name in type(body).model_fields}


def _shown(
    session: Db, principal: Principal, item_id: UUID, response: Response, kind: str | None = None
) -> dict[str, Any]:
    found = contents.read(session, principal=principal, item_id=item_id, kind=kind)
    response.headers["ETag"] = etag_of(found.item)
    told = ItemOut.model_validate(found.item).model_dump()
    more = {"icon": found.item.icon, "version": found.item.version, "hidden": found.hidden}
    return told | more | {"content": found.content}
