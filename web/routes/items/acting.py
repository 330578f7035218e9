"""What is done with an item by a button: published, withdrawn, put aside, duplicated, deleted."""

from uuid import UUID

from fastapi import APIRouter, Depends, Response

from leitstand.catalogue import lifecycle, trash
from serving.session import CurrentPrincipal, Db, require_csrf
from web.pages import go
from web.routes.items.kind import CurrentKind

router = APIRouter(dependencies=[Depends(require_csrf)])


@router.post("/{item_id}/publish")
def publish(session: Db, principal: CurrentPrincipal, kind: CurrentKind, item_id: UUID) -> Response:
    """Say that it is ready."""
    lifecycle.publish(session, principal=principal, item_id=item_id, kind=kind.name)
    return go(f"{kind.route}/{item_id}", "item-published")


@router.post("/{item_id}/withdraw")
def withdraw(session: Db, principal: CurrentPrincipal, kind: CurrentKind, item_id: UUID) -> Response:
    """Make it a draft again."""
    lifecycle.withdraw(session, principal=principal, item_id=item_id, kind=kind.name)
    return go(f"{kind.route}/{item_id}", "withdrawn" if kind.name == "companion" else "draft-again")


@router.post("/{item_id}/archive")
def archive(session: Db, principal: CurrentPrincipal, kind: CurrentKind, item_id: UUID) -> Response:
    """Put it aside."""
    lifecycle.archive(session, principal=principal, item_id=item_id, kind=kind.name)
    return go(f"{kind.route}/{item_id}", "archived")


@router.post("/{item_id}/duplicate")
def duplicate(session: Db, principal: CurrentPrincipal, kind: CurrentKind, item_id: UUID) -> Response:
    """Make a copy and open it."""
    item = lifecycle.duplicate(session, principal=principal, item_id=item_id, kind=kind.name)
    return go(f"{kind.route}/{item.id}", "duplicated")


@router.post("/{item_id}/trash")
def to_trash(session: Db, principal: CurrentPrincipal, kind: CurrentKind, item_id: UUID) -> Response:
    """Move it to the trash; the next page offers to undo."""
    trash.trash_item(session, principal=principal, item_id=item_id, kind=kind.name)
    return go(kind.route, "trashed", item_id)
