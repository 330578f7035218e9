"""The list of a kind, its filters in the address, and actions on what is chosen."""

from dataclasses import replace
from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from sqlalchemy.orm import Session

from leitstand.catalogue import bulk
from leitstand.catalogue.kinds import Kind
from leitstand.catalogue.listing import LARGEST_PAGE, MINE, PAGE, SORTS, STATUSES, Filters, find_lines
from leitstand.catalogue.visibility import VISIBILITIES
from leitstand.errors import InvalidInput, LeitstandError
from leitstand.identity.access import Principal
from leitstand.words import N_
from serving.session import CurrentPrincipal, Db, require_csrf, visit
from serving.shell.names import VISIBILITY_NAMES
from web.form_values import marked
from web.pages import fragment, go, render, wants_fragment
from web.routes.items.kind import (
    SORT_TITLES,
    STATUS_TITLES,
    CurrentKind,
    WholeForm,
    kind_at,
    text_of,
    texts_of,
    visibilities_for,
)

router = APIRouter()
# What the bar for the chosen asks for.
TYPED = ("tag", "visibility")
CHOICES = {
    "statuses": tuple(STATUS_TITLES.items()),
    "visibilities": tuple(VISIBILITY_NAMES.items()),
    "sorts": tuple(SORT_TITLES.items()),
}
TABS: tuple[tuple[str, dict[str, str]], ...] = (
    (N_("All"), {}),
    (N_("My"), {"owner": "me"}),
    (N_("Organisation"), {"visibility": "workspace"}),
    (N_("Official"), {"visibility": "official"}),
    (N_("Internal"), {"visibility": "internal"}),
)


def filters_of(request: Request) -> Filters:
    """The filters of an address; what is none of ours does not filter."""
    given = request.query_params.get
    return Filters(
        q=given("q", ""),
        status=_one_of(given("status", ""), STATUSES),
        visibility=_one_of(given("visibility", ""), VISIBILITIES),
        owner=_one_of(given("owner", ""), (MINE,)),
        tag=given("tag", ""),
        favorites=bool(given("favorites", "")),
        sort=_one_of(given("sort", ""), SORTS) or "changed",
    )


async def asked(request: Request) -> Filters:
    """The same as a dependency."""
    return filters_of(request)


def _one_of(value: str, allowed: tuple[str, ...]) -> str:
    return value if value in allowed else ""


Asked = Annotated[Filters, Depends(asked)]


@router.get("")
def list_page(request: Request) -> Response:
    """The list; htmx gets the rows alone: all of a new search, or those that follow."""
    kind, filters, cursor = kind_at(request), filters_of(request), request.query_params.get("cursor", "")
    with visit(request) as (session, principal):
        return _list(request, session, principal, kind, filters, cursor)


def _list(
    request: Request, session: Session, principal: Principal, kind: Kind, filters: Filters, cursor: str
) -> Response:
    names = _names(session, principal, kind, filters, cursor)
    if wants_fragment(request):
        if cursor:
            return fragment(principal, "items/rows.html", **names)
        piece = fragment(principal, "items/table.html", **names)
        piece.headers["HX-Push-Url"] = names["here"]
        return piece
    return render(request, principal, "items/list.html", area=kind.slug, **names)


@router.post("/bulk", dependencies=[Depends(require_csrf)])
def act_on_many(
    request: Request,
    session: Db,
    principal: CurrentPrincipal,
    kind: CurrentKind,
    filters: Asked,
    form: WholeForm,
) -> Response:
    """Do an action on what is chosen; where it can't be done on all, the list says on which not."""
    action, here = text_of(form, "action"), address(kind, filters)
    typed = {name: text_of(form, name) for name in TYPED}
    value = typed["tag"] if "tag" in action else typed["visibility"]
    try:
        ids = chosen(texts_of(form, "id"))
        bulk.apply(session, principal=principal, item_ids=ids, action=action, value=value)
    except LeitstandError as error:
        names = _names(session, principal, kind, filters, "", limit=LARGEST_PAGE)
        names |= {"error": error, "typed": typed, "ticked": set(texts_of(form, "id"))}
        return render(request, principal, "items/list.html", area=kind.slug, code=error.status, **names)
    if action == "trash":
        return go(here, "bulk-trashed", marked(ids))
    return go(here, "bulk-done")


def chosen(values: list[str]) -> list[UUID]:
    """The ids of a form's ticked boxes.

    Raises:
        InvalidInput: one is no id.
    """
    try:
        return [UUID(value) for value in values]
    except ValueError:
        raise InvalidInput("What was chosen can't be read.", hint="Choose again.") from None


def address(kind: Kind, filters: Filters, **more: str) -> str:
    """The address of a list with these filters."""
    values = {name: value for name, value in vars(filters).items() if value and name != "kind"}
    if values.get("sort") == "changed":
        del values["sort"]
    if filters.favorites:
        values["favorites"] = "1"
    query = urlencode(values | more)
    return f"{kind.route}?{query}" if query else kind.route


def _names(
    session: Session, principal: Principal, kind: Kind, filters: Filters, cursor: str, *, limit: int = PAGE
) -> dict[str, Any]:
    listing = find_lines(
        session, principal=principal, filters=filters.of(kind.name), cursor=cursor or None, limit=limit
    )
    more = address(kind, filters, cursor=listing.cursor) if listing.cursor else ""
    return {
        "kind": kind, "listing": listing, "filters": filters, "cursor": cursor, "more": more,
        **CHOICES, "may_set": visibilities_for(principal), "error": None,
        "typed": dict.fromkeys(TYPED, ""), "ticked": frozenset(),
        "chips": _chips(kind, filters), "tabs": _tabs(principal, kind, filters), "here": address(kind, filters),
    }  # fmt: skip


def _chips(kind: Kind, filters: Filters) -> list[tuple[str, str, str]]:
    """Of each active filter but the text, which stands in its field: what it is, its value, and the address without it."""
    found = []
    if filters.tag:
        found.append((N_("Tag"), filters.tag, address(kind, _with(filters, "tag"))))
    for name, titles in (("status", STATUS_TITLES), ("visibility", VISIBILITY_NAMES)):
        if value := getattr(filters, name):
            found.append(("", titles[value], address(kind, _with(filters, name))))
    if filters.owner:
        found.append(("", N_("Mine"), address(kind, replace(filters, owner=""))))
    if filters.favorites:
        found.append(("", N_("Favorites"), address(kind, replace(filters, favorites=False))))
    return found


def _tabs(principal: Principal, kind: Kind, filters: Filters) -> list[tuple[str, str, bool]]:
    """Whose agents: of each tab its title, its address, and whether it is the one that is open."""
    if kind.name != "agent":
        return []
    found = []
    for title, values in TABS:
        if values.get("visibility") != "internal" or principal.may("item:internal"):
            there = replace(filters, owner=values.get("owner", ""), visibility=values.get("visibility", ""))
            found.append((title, address(kind, there), there == filters))
    return found


def _with(filters: Filters, name: str) -> Filters:
    """The same without one of its texts."""
    without: dict[str, Any] = {name: ""}
    return replace(filters, **without)
