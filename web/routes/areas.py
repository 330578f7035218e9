"""Areas that are not built yet, each with a page that says what is there today; and the addresses of old links."""

from collections.abc import Callable

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from leitstand.catalogue.areas import AREAS, BY_SLUG, LEGACY_ROUTES, Area, may_see
from leitstand.errors import Forbidden
from leitstand.words import msg
from serving.session import CurrentPrincipal
from web.pages import render

router = APIRouter(include_in_schema=False)
MOVED = 301


def _page_of(area: Area) -> Callable[[Request, CurrentPrincipal], Response]:
    def page(request: Request, principal: CurrentPrincipal) -> Response:
        if not may_see(principal, area):
            raise Forbidden(
                msg("Your role ({role}) does not open {title}.", role=principal.role, title=area.title),
                hint="Ask an owner or admin of the workspace.",
            )
        offered = BY_SLUG.get(area.offers)
        instead = offered if offered and may_see(principal, offered) else None
        return render(request, principal, "area.html", area=area.slug, instead=instead)

    return page


def _redirect_to(target: str) -> Callable[[], Response]:
    def moved() -> Response:
        return RedirectResponse(target, status_code=MOVED)

    return moved


for _area in AREAS:
    if not _area.built:
        router.get(_area.route)(_page_of(_area))
for _old, _new in LEGACY_ROUTES.items():
    router.get(_old)(_redirect_to(_new))
    router.get(_old + "/{rest:path}")(_redirect_to(_new))
