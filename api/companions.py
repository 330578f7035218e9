"""Companions: listed, made, changed, published, put into the trash."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Body, Depends, Query, Response, status

from api.models import (
    CompanionChange,
    CompanionIn,
    CompanionOut,
    FlowOut,
    ItemOut,
    ItemPage,
    PublishIn,
    VersionOut,
    item_page,
)
from leitstand.catalogue import companions, items, trash
from leitstand.companions import versions
from leitstand.companions.flow import parse_flow
from leitstand.identity.access import Principal
from leitstand.settings import get_settings
from serving.idempotency import OnceRoute
from serving.session import CurrentPrincipal, Db, require_csrf

router = APIRouter(prefix="/companions", tags=["companions"], route_class=OnceRoute)
CSRF = [Depends(require_csrf)]


@router.get("")
def list_companions(
    session: Db,
    principal: CurrentPrincipal,
    q: str = "",
    status: str = "",
    cursor: str | None = None,
    limit: Annotated[int, Query(ge=1, le=items.LARGEST_PAGE)] = items.PAGE,
) -> ItemPage:
    """The companions that match, the last changed first, a page at a time."""
    found = items.list_items(
        session, principal=principal, kind=companions.KIND, q=q, status=status, cursor=cursor, limit=limit
    )
    return item_page(found.items, found.cursor)


@router.post("", status_code=status.HTTP_201_CREATED, dependencies=CSRF)
def create_companion(
    session: Db, principal: CurrentPrincipal, new: CompanionIn, response: Response
) -> CompanionOut:
    """Make a companion: a draft without a flow."""
    item = companions.create(session, principal=principal, **new.model_dump())
    response.headers["Location"] = f"/api/v1/companions/{item.id}"
    return _shown(session, principal, item.id)


@router.get("/{item_id}")
def get_companion(session: Db, principal: CurrentPrincipal, item_id: UUID) -> CompanionOut:
    """One companion with its link and versions."""
    return _shown(session, principal, item_id)


@router.patch("/{item_id}", dependencies=CSRF)
def change_companion(
    session: Db, principal: CurrentPrincipal, item_id: UUID, change: CompanionChange
) -> CompanionOut:
    """Change title, description, tags or visibility."""
    items.get_item(session, principal=principal, item_id=item_id, kind=companions.KIND)
    items.update_item(session, principal=principal, item_id=item_id, **change.model_dump())
    return _shown(session, principal, item_id)


@router.delete("/{item_id}", status_code=status.HTTP_204_NO_CONTENT, dependencies=CSRF)
def trash_companion(session: Db, principal: CurrentPrincipal, item_id: UUID) -> None:
    """Put a companion into the trash."""
    items.get_item(session, principal=principal, item_id=item_id, kind=companions.KIND)
    trash.trash_item(session, principal=principal, item_id=item_id)


@router.get("/{item_id}/flow")
def get_flow(
    session: Db,
    principal: CurrentPrincipal,
    item_id: UUID,
    version: Annotated[int | None, Query(ge=1, le=2_147_483_647)] = None,
) -> FlowOut:
    """A version's flow: the named one, else the published one, else the newest."""
    number, flow = versions.read_flow(session, principal=principal, companion_id=item_id, number=version)
    return FlowOut(version=number, flow=flow.document())


@router.put("/{item_id}/flow", dependencies=CSRF)
def save_flow(
    session: Db, principal: CurrentPrincipal, item_id: UUID, flow: Annotated[dict[str, Any], Body()]
) -> FlowOut:
    """Save a flow as the next version; one equal to the newest makes no new one."""
    parsed = parse_flow(flow)
    number = versions.save_version(session, principal=principal, companion_id=item_id, flow=parsed)
    return FlowOut(version=number, flow=parsed.document())


@router.post("/{item_id}/publish", dependencies=CSRF)
def publish(
    session: Db, principal: CurrentPrincipal, item_id: UUID, wanted: PublishIn | None = None
) -> CompanionOut:
    """Open a version to visitors, the newest where none is named."""
    number = wanted.version if wanted else None
    versions.publish(session, principal=principal, companion_id=item_id, number=number)
    return _shown(session, principal, item_id)


@router.post("/{item_id}/roll-back", dependencies=CSRF)
def roll_back(session: Db, principal: CurrentPrincipal, item_id: UUID) -> CompanionOut:
    """Open the version before the published one."""
    versions.roll_back(session, principal=principal, companion_id=item_id)
    return _shown(session, principal, item_id)


@router.post("/{item_id}/withdraw", dependencies=CSRF)
def withdraw(session: Db, principal: CurrentPrincipal, item_id: UUID) -> CompanionOut:
    """Close a companion to visitors."""
    companions.withdraw(session, principal=principal, item_id=item_id)
    return _shown(session, principal, item_id)


@router.post("/{item_id}/archive", dependencies=CSRF)
def archive(session: Db, principal: CurrentPrincipal, item_id: UUID) -> CompanionOut:
    """Put a companion aside."""
    companions.archive(session, principal=principal, item_id=item_id)
    return _shown(session, principal, item_id)


def _shown(session: Db, principal: Principal, item_id: UUID) -> CompanionOut:
    found = companions.get(session, principal=principal, item_id=item_id)
    slug, number = found.companion.slug, found.companion.published_version
    link = versions.public_address(get_settings().base_url, slug) if slug and number else None
    return CompanionOut(
        **ItemOut.model_validate(found.item).model_dump(),
        slug=slug,
        link=link,
        published_version=number,
        versions=[VersionOut.model_validate(version) for version in found.versions],
    )
