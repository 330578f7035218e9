"""What the handlers of items share: the kind that an address is of, and forms read whole."""

from typing import Annotated, Any

from fastapi import Depends, Request
from starlette.datastructures import FormData

from leitstand.catalogue.kinds import KINDS, Kind
from leitstand.words import N_

BY_ROUTE = {kind.route: kind for kind in KINDS.values()}
VISIBILITY_TITLES = {
    "workspace": N_("Everybody in the workspace"),
    "private": N_("Only its owner"),
    "shared": N_("People and groups it is shared with"),
    "official": N_("Official"),
    "internal": N_("Internal"),
}
STATUS_TITLES = {"draft": N_("Drafts"), "published": N_("Published"), "archived": N_("Archived")}
SORT_TITLES = {"changed": N_("Last changed"), "title": N_("Title"), "created": N_("Newest")}


def kind_at(request: Request) -> Kind:
    """The kind whose area an address is in."""
    return BY_ROUTE["/" + request.scope["path"].split("/", 2)[1]]


async def kind_of(request: Request) -> Kind:
    """The same as a dependency."""
    return kind_at(request)


async def read_form(request: Request) -> FormData:
    """The form of a request."""
    return await request.form()


CurrentKind = Annotated[Kind, Depends(kind_of)]
WholeForm = Annotated[FormData, Depends(read_form)]


def text_of(form: FormData, name: str) -> str:
    """A field of a form; empty where it is not there, or a file."""
    value: Any = form.get(name)
    return value if isinstance(value, str) else ""


def texts_of(form: FormData, name: str) -> list[str]:
    """Every value of a field that stands several times."""
    return [value for value in form.getlist(name) if isinstance(value, str)]
