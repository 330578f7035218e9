"""The page of an item: what it holds, its facts, and what can be done with it."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from sqlalchemy.orm import Session

from leitstand.agents import apps, schedules, threads
from leitstand.catalogue import companions, contents
from leitstand.catalogue.editing import may_edit
from leitstand.catalogue.favorites import favorite_ids
from leitstand.catalogue.kinds import Kind
from leitstand.catalogue.kinds.board import COLOURS
from leitstand.catalogue.kinds.control_fields import shown
from leitstand.catalogue.lifecycle import used_by
from leitstand.catalogue.listing import Filters, find
from leitstand.catalogue.recents import note_use
from leitstand.companions import versions
from leitstand.conversations.judging import judged
from leitstand.db.models import Item, Person
from leitstand.errors import LeitstandError
from leitstand.identity.access import Principal
from leitstand.identity.workspaces import zone_names
from leitstand.knowledge.answers import QUOTED_NOTE
from leitstand.knowledge.answers import ask as ask_space
from leitstand.knowledge.document_trash import list_deleted
from leitstand.knowledge.documents import list_documents
from leitstand.knowledge.uploads import MEGABYTE
from leitstand.limits.room import plan_of
from leitstand.settings import get_settings
from serving.session import visit
from web.pages import render
from web.routes.items.kind import CurrentKind

router = APIRouter()
FOUND = 8


@router.get("/{item_id}")
def item_page(
    request: Request,
    kind: CurrentKind,
    item_id: UUID,
    find: str = "",
    ask: str = "",
) -> Response:
    """One item; `find` looks for items to put into it, `ask` asks a space."""
    with visit(request) as (session, principal):
        return show(request, session, principal, kind, item_id, find=find, ask=ask)


def show(
    request: Request,
    session: Session,
    principal: Principal,
    kind: Kind,
    item_id: UUID,
    *,
    template: str = "items/item.html",
    find: str = "",
    ask: str = "",
    error: LeitstandError | None = None,
    **more: Any,
) -> Response:
    """The page of an item, with what is wrong where something was sent that can't be taken."""
    found = contents.read(session, principal=principal, item_id=item_id, kind=kind.name)
    note_use(session, principal=principal, item=found.item)
    item, editable = found.item, may_edit(session, principal, found.item)
    names: dict[str, Any] = {
        "kind": kind, "item": item, "held": found.content.document(), "hidden": found.hidden, "editable": editable,
        "used": {str(item_id): one for item_id, one in found.used.items()},
        "owner": session.get(Person, item.owner_id) if item.owner_id else None,
        "users": used_by(session, principal=principal, item_id=item_id, known=True), "find": find, "ask": ask, "error": error, "typed": {},
        "starred": bool(favorite_ids(session, principal=principal, item_ids=[item_id])),
    }  # fmt: skip
    asked = "" if "answer" in more else ask
    names |= _own(session, principal, item, find if editable else "", asked, editable=editable) | more
    code = error.status if error else 200
    return render(request, principal, template, area=kind.slug, code=code, **names)


def _own(
    session: Session, principal: Principal, item: Item, find: str, ask: str, *, editable: bool
) -> dict[str, Any]:
    """What only the page of this kind shows."""
    if item.kind == "companion":
        return _companion(session, principal, item)
    if item.kind in ("collection", "board"):
        return {"matches": _matches(session, principal, item, find), "colours": COLOURS}
    if item.kind == "control":
        content = contents.stored(session, item).document()
        return {"preview": (shown(content), "")}
    if item.kind == "space":
        documents = list_documents(session, principal=principal, space_id=item.id)
        deleted = list_deleted(session, principal=principal, space_id=item.id) if editable else ()
        settings = get_settings()
        return {
            "documents": documents, "deleted": deleted, "answer": _answer(session, principal, item, ask),
            "scanner": bool(settings.clamd_address), "upload_most": settings.upload_most_mb * MEGABYTE,
        }  # fmt: skip
    return _of_agents(session, principal, item)


def _of_agents(session: Session, principal: Principal, item: Item) -> dict[str, Any]:
    """What the pages of agents and apps show of their threads."""
    if item.kind == "agent":
        return {"asked": "", **_threads(session, principal, threads.Filters(agent_id=item.id))}
    return _app(session, principal, item) if item.kind == "app" else {}


def _threads(session: Session, principal: Principal, filters: threads.Filters) -> dict[str, Any]:
    """The newest threads of an agent or an app, as far as the reader sees them."""
    page = threads.find(session, principal=principal, filters=filters, limit=FOUND)
    return {"threads": page, "currency": plan_of(session, principal.workspace_id).currency}


def _app(session: Session, principal: Principal, item: Item) -> dict[str, Any]:
    """The form of an app, its newest output, its threads and schedules."""
    app = apps.read(session, principal=principal, app_id=item.id)
    return {
        "app": app, "given": {}, "zones": zone_names(), "when": "", "in_zone": principal.local_zone, "at": "",
        "schedules": schedules.list_schedules(session, principal=principal, app_id=item.id),
        **_threads(session, principal, threads.Filters(app_id=item.id)),
    }  # fmt: skip


def _companion(session: Session, principal: Principal, item: Item) -> dict[str, Any]:
    found = companions.get(session, principal=principal, item_id=item.id)
    slug = found.companion.slug if found.companion.published_version else None
    link = versions.public_address(get_settings().base_url, slug) if slug else ""
    opinions = None
    if principal.may("insights:read"):
        opinions = judged(session, principal=principal, companion=found.item)
    return {
        "companion": found.companion, "versions": found.versions, "link": link, "opinions": opinions
    }  # fmt: skip


def _matches(session: Session, principal: Principal, item: Item, q: str) -> list[Item]:
    """Items that could be put into this one."""
    if not q.strip():
        return []
    listing = find(session, principal=principal, filters=Filters(q=q), limit=FOUND + 1)
    return [one for one in listing.items if one.id != item.id][:FOUND]


def _answer(session: Session, principal: Principal, item: Item, question: str) -> Any:
    """Quotes from a space: a link that somebody follows spends no tokens, so that it asks no model."""
    if not question.strip():
        return None
    try:
        return ask_space(session, principal=principal, question=question, space_id=item.id, why=QUOTED_NOTE)
    except LeitstandError as error:
        return error
