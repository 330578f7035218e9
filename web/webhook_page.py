"""The page of one webhook, which several of its forms come back to."""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import Query, Request, Response
from sqlalchemy.orm import Session

from leitstand.catalogue import cursors
from leitstand.db.models import Webhook
from leitstand.db.models.integrations import STATUSES
from leitstand.errors import InvalidInput, LeitstandError
from leitstand.identity.access import Principal
from leitstand.integrations import deliveries
from leitstand.words import N_
from web import integration_pages
from web.integration_pages import StatusFilter, page

ADDRESS = f"{integration_pages.ADDRESS}/webhooks"
WORDS = {
    "pending": N_("On its way"), "failed": N_("Tried again"), "delivered": N_("Delivered"),
    "given-up": N_("Given up"),
}  # fmt: skip


class Filter(StatusFilter):
    """And of which event, and where the page begins."""

    event: str = ""
    cursor: str = ""


Chosen = Annotated[Filter, Query()]


def webhook_page(
    request: Request,
    session: Session,
    principal: Principal,
    webhook: Webhook,
    *,
    chosen: Filter | None = None,
    secret: str = "",
    error: LeitstandError | None = None,
) -> Response:
    """State, deliveries and actions; `secret` is one that was just made."""
    chosen, found = chosen or Filter(), []
    try:
        found = deliveries.list_deliveries(
            session,
            principal=principal,
            webhook_id=webhook.id,
            status=chosen.status,
            event=chosen.event,
            limit=deliveries.PAGE + 1,
            before=cursors.decode(chosen.cursor) if chosen.cursor else None,
        )
    except InvalidInput as refused:
        error = refused
    more = found[deliveries.PAGE - 1] if len(found) > deliveries.PAGE else None
    query = {"status": chosen.status, "event": chosen.event}
    following = urlencode(query | {"cursor": cursors.encode(more.created_at, more.id)}) if more else ""
    return page(
        request,
        principal,
        "webhook.html",
        webhook=webhook,
        deliveries=found[: deliveries.PAGE],
        following=following,
        chosen=chosen,
        statuses=STATUSES,
        words=WORDS,
        secret=secret,
        error=error,
    )
