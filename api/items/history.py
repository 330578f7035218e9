"""Versions of an item, what differs between two, and a copy: the same endpoints for every kind."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Response, status

from api.items.models import DifferenceOut, HistoryOut, HistoryPage, SnapshotOut
from api.models import ItemOut
from leitstand.catalogue import lifecycle, versions
from serving.session import CurrentPrincipal, Db, require_csrf

Number = Annotated[int, Path(ge=1, le=2_147_483_647)]


def add_history(router: APIRouter, kind: str) -> None:
    """Give a kind's router the endpoints of its items' history."""

    @router.get("/{item_id}/versions", name=f"list_{kind}_versions")
    def list_versions(
        session: Db,
        principal: CurrentPrincipal,
        item_id: UUID,
        before: Annotated[int | None, Query(ge=1, le=2_147_483_647)] = None,
    ) -> HistoryPage:
        """The versions, newest first, 200 at a time."""
        found = versions.list_versions(
            session, principal=principal, item_id=item_id, kind=kind, before=before
        )
        following = found[-1].number if len(found) == versions.MOST else None
        return HistoryPage(items=[HistoryOut.model_validate(one) for one in found], next=following)

    @router.get("/{item_id}/versions/{number}", name=f"get_{kind}_version")
    def read_version(session: Db, principal: CurrentPrincipal, item_id: UUID, number: Number) -> SnapshotOut:
        """What the item was in a version."""
        found = versions.read_version(session, principal=principal, item_id=item_id, number=number, kind=kind)
        return SnapshotOut.model_validate(found)

    @router.get("/{item_id}/versions/{first}/diff/{second}", name=f"compare_{kind}_versions")
    def compare(
        session: Db, principal: CurrentPrincipal, item_id: UUID, first: Number, second: Number
    ) -> list[DifferenceOut]:
        """How the second version differs from the first."""
        found = versions.compare(
            session, principal=principal, item_id=item_id, first=first, second=second, kind=kind
        )
        return [DifferenceOut.model_validate(one) for one in found]

    @router.post(
        "/{item_id}/duplicate",
        name=f"duplicate_{kind}",
        status_code=status.HTTP_201_CREATED,
        dependencies=[Depends(require_csrf)],
    )
    def duplicate(session: Db, principal: CurrentPrincipal, item_id: UUID, response: Response) -> ItemOut:
        """Make a copy: a private draft of your own."""
        item = lifecycle.duplicate(session, principal=principal, item_id=item_id, kind=kind)
        response.headers["Location"] = f"/api/v1/{kind}s/{item.id}"
        return ItemOut.model_validate(item)
