"""The audit log."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import AwareDatetime

from api.models import AuditOut
from leitstand.identity.audit import list_entries
from serving.idempotency import OnceRoute
from serving.session import CurrentPrincipal, Db

router = APIRouter(prefix="/audit", tags=["audit"], route_class=OnceRoute)


@router.get("")
def audit(
    session: Db,
    principal: CurrentPrincipal,
    before: AwareDatetime | None = None,
    before_id: Annotated[int, Query(ge=0, le=2**63 - 1)] = 0,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> list[AuditOut]:
    """The newest changes first; `before` and `before_id` of the last one lead to the next page."""
    keyset: tuple[datetime, int] | None = (before, before_id) if before else None
    return [
        AuditOut.model_validate(entry)
        for entry in list_entries(session, principal=principal, limit=limit, before=keyset)
    ]
