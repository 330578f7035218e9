"""What the handlers of items share: the kind that an address is of, and forms read whole."""

from typing import Annotated, Any

from fastapi import Depends, Request
from starlette.datastructures import FormData

from leitstand.catalogue.kinds import KINDS, Kind
from leitstand.identity.access import Principal
from leitstand.words import N_
from serving.shell.names import VISIBILITY_NAMES

BY_ROUTE = {kind.route: kind for kind in KINDS.values()}
STATUS_TITLES = {"draft": N_("Drafts"), "published": N_("Published"), "archived": N_("Archived")}
NEEDED = {"official": "item:official", "internal": "item:internal"}
SORT_TITLES = {"changed": N_("Last changed"), "title": N_("Title"), "created": N_("Newest")}


def visibilities_for(principal: Principal) -> tuple[tuple[str, str], ...]:
    """The visibilities that a person may give to items of their own, and what each is called."""
    return tuple(
        (name, title)
        for name, title in VISIBILITY_NAMES.items()
        if name not in NEEDED or principal.may(NEEDED[name])
    )


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
