"""The audit log."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from api.models import AuditOut
from api.moments import Day, Instant
from leitstand.db.engine import get_engine
from leitstand.identity import audit
from leitstand.identity.access import Principal
from leitstand.identity.audit_log import LONGEST, Which, export, list_entries
from leitstand.identity.workspaces import checked_zone
from serving.idempotency import OnceRoute
from serving.session import CurrentPrincipal, Db

router = APIRouter(prefix="/audit", tags=["audit"], route_class=OnceRoute)
Text = Annotated[str, Query(max_length=LONGEST)]


class Filter(BaseModel):
    """Which entries; what is empty leaves none out."""

    actor: Text = ""
    action: Text = ""
    target: Text = ""
    request_id: Text = ""
    start: Day | None = None
    end: Day | None = None
    zone: Text = ""

    def which(self, principal: Principal) -> Which:
        """The filter, in days of the zone or else of the workspace's."""
        return Which(
            actor=self.actor,
            action=self.action,
            target=self.target,
            request_id=self.request_id,
            start=self.start,
            end=self.end,
            zone=checked_zone(self.zone or principal.zone),
        )


class Page(Filter):
    """Which entries, and where the page begins: behind the entry of that time and id."""

    before: Instant | None = None
    before_id: Annotated[int, Query(ge=0, le=2**63 - 1)] = 0
    limit: Annotated[int, Query(ge=1, le=500)] = 50

    @property
    def keyset(self) -> tuple[datetime, int] | None:
        """The last entry of the page before."""
        return (self.before, self.before_id) if self.before else None


@router.get("")
def list_audit(session: Db, principal: CurrentPrincipal, page: Annotated[Page, Query()]) -> list[AuditOut]:
    """The newest changes first; `before` and `before_id` of the last one lead to the next page."""
    found = list_entries(
        session, principal=principal, which=page.which(principal), limit=page.limit, before=page.keyset
    )
    return [AuditOut.model_validate(entry) for entry in found]


@router.get("/export", response_class=StreamingResponse)
def export_audit(session: Db, principal: CurrentPrincipal, chosen: Annotated[Filter, Query()]) -> Response:
    """All of it as JSON lines, oldest first; that it was taken away is an entry too."""
    text = export(get_engine(), principal=principal, which=chosen.which(principal), form="json")
    after: dict[str, Any] = {name: value for name, value in chosen.model_dump(mode="json").items() if value}
    audit.record(session, principal=principal, action="audit.export", target="file:json", after=after)
    return StreamingResponse(text, media_type="application/x-ndjson", headers={"Cache-Control": "no-store"})
