"""The form of an item: new, and of one that is there."""

from datetime import datetime
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from starlette.datastructures import FormData

from leitstand.agents.tools.configured import names as tool_names
from leitstand.catalogue import contents, items
from leitstand.catalogue.editing import require_edit
from leitstand.catalogue.icons import ICONS
from leitstand.catalogue.kinds import Kind, parse
from leitstand.catalogue.kinds.control_fields import Shown, shown
from leitstand.catalogue.listing import LARGEST_PAGE, Filters, find
from leitstand.db.models import Item
from leitstand.errors import InvalidInput, LeitstandError
from leitstand.identity.access import Principal, require
from serving.session import CurrentPrincipal, Db, require_csrf
from web.form_values import REFUSALS
from web.pages import go, render
from web.routes.items import forms
from web.routes.items.kind import CurrentKind, WholeForm, text_of, visibilities_for

router = APIRouter()
CSRF = [Depends(require_csrf)]
COMMON = ("title", "description", "tags", "visibility", "icon", "seen", "note")


@router.get("/new")
def new_page(request: Request, session: Db, principal: CurrentPrincipal, kind: CurrentKind) -> Response:
    """The form of a new one."""
    require(principal, "item:write")
    values = dict.fromkeys(COMMON, "") | {"visibility": "workspace"}
    values |= forms.fields_of(kind.name, parse(kind.name, {}).document())
    return form_page(request, session, principal, kind, None, values)


@router.post("", dependencies=CSRF)
def create(
    request: Request, session: Db, principal: CurrentPrincipal, kind: CurrentKind, form: WholeForm
) -> Response:
    """Make one and open it; what can't be taken comes back in the form."""
    require(principal, "item:write")
    values = typed(kind, form)
    if text_of(form, "do"):
        return form_page(request, session, principal, kind, None, values)
    try:
        given = {name: values[name] for name in ("title", "description", "icon")}
        item = contents.create(
            session,
            principal=principal,
            kind=kind.name,
            tags=values["tags"].split(","),
            visibility=values["visibility"] or "workspace",
            content=forms.content_of(kind.name, values),
            **given,
        )
    except REFUSALS as error:
        return form_page(request, session, principal, kind, None, values, error)
    return go(f"{kind.route}/{item.id}", "created")


@router.get("/{item_id}/edit")
def edit_page(
    request: Request, session: Db, principal: CurrentPrincipal, kind: CurrentKind, item_id: UUID
) -> Response:
    """The form of one that is there."""
    found = contents.read(session, principal=principal, item_id=item_id, kind=kind.name)
    item = found.item
    require_edit(session, principal, item)
    values: dict[str, Any] = {
        name: getattr(item, name) for name in ("title", "description", "visibility", "icon")
    }
    values |= {"tags": ", ".join(item.tags), "seen": item.updated_at.isoformat(), "note": ""}
    values |= forms.fields_of(kind.name, found.content.document())
    return form_page(request, session, principal, kind, item, values)


@router.post("/{item_id}/edit", dependencies=CSRF)
def save(
    request: Request,
    session: Db,
    principal: CurrentPrincipal,
    kind: CurrentKind,
    item_id: UUID,
    form: WholeForm,
) -> Response:
    """Save as a new version; what can't be taken comes back in the form."""
    item = items.get_item(session, principal=principal, item_id=item_id, kind=kind.name)
    values = typed(kind, form)
    if text_of(form, "do"):
        return form_page(request, session, principal, kind, item, values)
    try:
        contents.save(
            session,
            principal=principal,
            item_id=item_id,
            title=values["title"],
            description=values["description"],
            tags=values["tags"].split(","),
            icon=values["icon"],
            visibility=values["visibility"] or None,
            content=forms.content_of(kind.name, values),
            note=values["note"],
            seen=_moment(values["seen"]),
        )
    except REFUSALS as error:
        return form_page(request, session, principal, kind, item, values, error)
    return go(f"{kind.route}/{item_id}", "saved")


def typed(kind: Kind, form: FormData) -> dict[str, Any]:
    """Everything that was typed into the form of a kind."""
    return {name: text_of(form, name) for name in COMMON} | forms.typed(kind.name, form)


def form_page(
    request: Request,
    session: Db,
    principal: Principal,
    kind: Kind,
    item: Item | None,
    values: dict[str, Any],
    error: LeitstandError | None = None,
) -> Response:
    """The form with values in it, and what is wrong with them."""
    names: dict[str, Any] = {
        "kind": kind, "item": item, "form": values, "error": error, "icons": ICONS,
        "visibilities": _visibilities(principal, item), "choices": _choices(session, principal, kind),
        "tools": tool_names(session, principal=principal) if kind.name == "agent" else (),
        "preview": preview_of(values) if kind.name == "control" else None,
    }  # fmt: skip
    code = error.status if error else 200
    return render(request, principal, "items/form.html", area=kind.slug, code=code, **names)


def preview_of(values: dict[str, Any]) -> tuple[list[Shown], str]:
    """A control as it will look, or else what is wrong with it."""
    try:
        content = parse("control", forms.content_of("control", values)).document()
    except InvalidInput as error:
        return [], error.message
    return shown(content), ""


def _choices(session: Db, principal: Principal, kind: Kind) -> dict[str, list[Item]]:
    """The items that a kind's form lets choose: spaces of an agent; agents and controls of an app."""
    wanted = {"agent": ("space",), "app": ("agent", "control")}.get(kind.name, ())
    return {
        name: list(
            find(
                session, principal=principal, filters=Filters(kind=name, sort="title"), limit=LARGEST_PAGE
            ).items
        )
        for name in wanted
    }


def _visibilities(principal: Principal, item: Item | None) -> dict[str, str]:
    """Who may see it, as far as the principal may say so; empty where that is not theirs."""
    mine = item is None or (principal.person_id is not None and item.owner_id == principal.person_id)
    if not mine and not (
        item and principal.may("item:official") and item.visibility not in ("private", "shared")
    ):
        return {}
    return {
        name: title
        for name, title in visibilities_for(principal)
        if mine or name not in ("private", "shared")
    }


def _moment(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text) if text else None
    except ValueError:
        raise InvalidInput("This form can't be read.", hint="Load the page again.") from None
