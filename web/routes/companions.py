"""Companions: the list, one companion with its facts, and everything that is done with one."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Request, Response
from pydantic import BaseModel

from leitstand.catalogue import companions, items, trash
from leitstand.catalogue.favorites import favorite_ids
from leitstand.catalogue.recents import note_use
from leitstand.companions import versions
from leitstand.db.models import Item
from leitstand.errors import Conflict, InvalidInput, LeitstandError
from leitstand.identity.access import Principal, require
from leitstand.settings import get_settings
from serving.session import CurrentPrincipal, Db, require_csrf
from web.facts import facts
from web.pages import fragment, go, render, wants_fragment

router = APIRouter(prefix="/companions", include_in_schema=False)
CSRF = [Depends(require_csrf)]
STATUS_TITLES = {"": "All", "draft": "Drafts", "published": "Published", "archived": "Archived"}


class CompanionForm(BaseModel):
    """The form of a companion as a browser sends it; `seen` is when the editor's copy was last changed."""

    title: str = ""
    description: str = ""
    tags: str = ""
    visibility: str | None = None
    seen: datetime | None = None


@router.get("")
def list_companions(
    request: Request,
    session: Db,
    principal: CurrentPrincipal,
    q: str = "",
    status: str = "",
    cursor: str = "",
) -> Response:
    """The list; htmx gets the rows alone: all of a new search, or those that follow."""
    status = status if status in STATUS_TITLES else ""
    listing = items.list_items(
        session, principal=principal, kind=companions.KIND, q=q, status=status, cursor=cursor or None
    )
    stars = favorite_ids(session, principal=principal, item_ids=[item.id for item in listing.items])
    found: dict[str, Any] = {"listing": listing, "stars": stars, "q": q, "status": status, "cursor": cursor}
    if wants_fragment(request):
        return fragment(
            principal, "parts/companion_rows.html" if cursor else "parts/companion_table.html", **found
        )
    return render(request, principal, "companions.html", area="companions", statuses=STATUS_TITLES, **found)


@router.get("/new")
def new_companion(request: Request, principal: CurrentPrincipal) -> Response:
    """The form of a new one."""
    require(principal, "item:write")
    return _form(request, principal, None, CompanionForm())


@router.post("", dependencies=CSRF)
def create_companion(
    request: Request, session: Db, principal: CurrentPrincipal, form: Annotated[CompanionForm, Form()]
) -> Response:
    """Make one and open it; what can't be taken comes back in the form."""
    try:
        item = companions.create(
            session,
            principal=principal,
            title=form.title,
            description=form.description,
            tags=form.tags.split(","),
            visibility=form.visibility or "workspace",
        )
    except InvalidInput as error:
        return _form(request, principal, None, form, error)
    return go(f"/companions/{item.id}", "created")


@router.get("/{item_id}")
def companion_page(request: Request, session: Db, principal: CurrentPrincipal, item_id: UUID) -> Response:
    """One companion: its facts, link and versions."""
    found = companions.get(session, principal=principal, item_id=item_id)
    note_use(session, principal=principal, item=found.item)
    slug = found.companion.slug if found.companion.published_version else None
    return render(
        request,
        principal,
        "companion.html",
        area="companions",
        item=found.item,
        companion=found.companion,
        versions=found.versions,
        link=versions.public_address(get_settings().base_url, slug) if slug else "",
        starred=bool(favorite_ids(session, principal=principal, item_ids=[item_id])),
    )


@router.get("/{item_id}/facts")
def companion_facts(request: Request, session: Db, principal: CurrentPrincipal, item_id: UUID) -> Response:
    """Its figures: they come after the page, because they may count many runs."""
    item = items.get_item(session, principal=principal, item_id=item_id, kind=companions.KIND)
    found = facts(session, principal, item_id)
    if wants_fragment(request):
        return fragment(principal, "parts/facts.html", facts=found)
    return render(
        request,
        principal,
        "piece.html",
        area="companions",
        piece="parts/facts.html",
        heading=item.title,
        facts=found,
    )


@router.get("/{item_id}/edit")
def edit_companion(request: Request, session: Db, principal: CurrentPrincipal, item_id: UUID) -> Response:
    """The form of an existing one."""
    item = items.get_item(session, principal=principal, item_id=item_id, kind=companions.KIND)
    form = CompanionForm(
        title=item.title,
        description=item.description,
        tags=", ".join(item.tags),
        visibility=item.visibility,
        seen=item.updated_at,
    )
    return _form(request, principal, item, form)


@router.post("/{item_id}/edit", dependencies=CSRF)
def save_companion(
    request: Request,
    session: Db,
    principal: CurrentPrincipal,
    item_id: UUID,
    form: Annotated[CompanionForm, Form()],
) -> Response:
    """Change title, description and tags; what can't be taken comes back in the form."""
    item = items.get_item(session, principal=principal, item_id=item_id, kind=companions.KIND)
    try:
        items.update_item(
            session,
            principal=principal,
            item_id=item_id,
            title=form.title,
            description=form.description,
            tags=form.tags.split(","),
            visibility=form.visibility,
            seen=form.seen,
        )
    except (InvalidInput, Conflict) as error:
        return _form(request, principal, item, form, error)
    return go(f"/companions/{item_id}", "saved")


@router.post("/{item_id}/publish", dependencies=CSRF)
def publish(
    session: Db, principal: CurrentPrincipal, item_id: UUID, version: Annotated[int | None, Form()] = None
) -> Response:
    """Open a version to visitors."""
    versions.publish(session, principal=principal, companion_id=item_id, number=version)
    return go(f"/companions/{item_id}", "published")


@router.post("/{item_id}/roll-back", dependencies=CSRF)
def roll_back(session: Db, principal: CurrentPrincipal, item_id: UUID) -> Response:
    """Open the version before the published one."""
    versions.roll_back(session, principal=principal, companion_id=item_id)
    return go(f"/companions/{item_id}", "rolled-back")


@router.post("/{item_id}/withdraw", dependencies=CSRF)
def withdraw(session: Db, principal: CurrentPrincipal, item_id: UUID) -> Response:
    """Close it to visitors."""
    companions.withdraw(session, principal=principal, item_id=item_id)
    return go(f"/companions/{item_id}", "withdrawn")


@router.post("/{item_id}/archive", dependencies=CSRF)
def archive(session: Db, principal: CurrentPrincipal, item_id: UUID) -> Response:
    """Put it aside."""
    companions.archive(session, principal=principal, item_id=item_id)
    return go(f"/companions/{item_id}", "archived")


@router.post("/{item_id}/trash", dependencies=CSRF)
def to_trash(session: Db, principal: CurrentPrincipal, item_id: UUID) -> Response:
    """Move it to the trash; the next page offers to undo."""
    companions.get(session, principal=principal, item_id=item_id)
    trash.trash_item(session, principal=principal, item_id=item_id)
    return go("/companions", "trashed", item_id)


def _form(
    request: Request,
    principal: Principal,
    item: Item | None,
    form: CompanionForm,
    error: LeitstandError | None = None,
) -> Response:
    code = error.status if error else 200
    names: dict[str, Any] = {"item": item, "form": form, "error": error}
    return render(request, principal, "companion_form.html", area="companions", code=code, **names)
