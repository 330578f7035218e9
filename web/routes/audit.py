"""The audit log: read page by page, filtered, and taken away as a file."""

from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, field_validator

from leitstand.catalogue.cursors import decode_numbered, encode_numbered
from leitstand.db.engine import get_engine
from leitstand.errors import InvalidInput
from leitstand.identity import audit
from leitstand.identity.access import Principal
from leitstand.identity.audit_log import Which, export, list_actions, list_entries
from serving.session import CurrentPrincipal, Db, require_csrf
from web.pages import fragment, render, wants_fragment

router = APIRouter(prefix="/settings/audit", include_in_schema=False)
ROWS = 50


class Chosen(BaseModel):
    """The filter as it stands in the address; a day that is none is left out."""

    actor: str = ""
    action: str = ""
    target: str = ""
    request_id: str = ""
    start: date | None = None
    end: date | None = None

    @field_validator("start", "end", mode="before")
    @classmethod
    def _day_or_none(cls, value: Any) -> date | None:
        try:
            return date.fromisoformat(value) if value else None
        except (TypeError, ValueError):
            return None

    def which(self, principal: Principal) -> Which:
        """The filter, in days of the reader."""
        return Which(**self._chosen(), zone=principal.local_zone)

    @property
    def query(self) -> dict[str, str]:
        """What is chosen, for an address."""
        return {name: str(value) for name, value in self._chosen().items() if value}

    def _chosen(self) -> dict[str, Any]:
        return self.model_dump(include=set(Chosen.model_fields))


class Page(Chosen):
    """A filter, and the cursor behind which the page begins."""

    before: str = ""


class Export(Chosen):
    """A filter, and the form of the file."""

    form: str = "csv"


@router.get("")
def audit_page(
    request: Request,
    session: Db,
    principal: CurrentPrincipal,
    chosen: Annotated[Page, Query()],
) -> Response:
    """The newest changes first; htmx gets the table of a new search, or the rows that follow."""
    entries, error = [], None
    try:
        entries = list_entries(
            session,
            principal=principal,
            which=chosen.which(principal),
            limit=ROWS + 1,
            before=decode_numbered(chosen.before),
        )
    except InvalidInput as refused:
        error = refused
    more = entries[ROWS - 1] if len(entries) > ROWS else None
    found: dict[str, Any] = {
        "entries": entries[:ROWS],
        "next": encode_numbered(more.at, more.id) if more else "",
        "chosen": chosen,
        "error": error,
    }
    if wants_fragment(request):
        return fragment(
            principal, "parts/audit_rows.html" if chosen.before else "parts/audit_table.html", **found
        )
    actions = list_actions(session, principal=principal)
    nouns = sorted({action.partition(".")[0] for action in actions})
    code = error.status if error else 200
    return render(
        request, principal, "audit.html", area="audit", code=code, actions=actions, nouns=nouns, **found
    )


@router.post("/export", dependencies=[Depends(require_csrf)])
def export_log(
    session: Db,
    principal: CurrentPrincipal,
    chosen: Annotated[Export, Query()],
) -> Response:
    """What is chosen as a file; that it was taken away is an entry too."""
    text = export(get_engine(), principal=principal, which=chosen.which(principal), form=chosen.form)
    audit.record(
        session,
        principal=principal,
        action="audit.export",
        target=f"file:{chosen.form}",
        after=chosen.query,
    )
    media = {"csv": "text/csv; charset=utf-8", "json": "application/x-ndjson"}[chosen.form]
    name = f"audit-log.{'csv' if chosen.form == 'csv' else 'jsonl'}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return StreamingResponse(text, media_type=media, headers=headers)
