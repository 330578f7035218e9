"""The addresses of old links."""

from collections.abc import Callable

from fastapi import APIRouter, Response
from fastapi.responses import RedirectResponse

from leitstand.catalogue.areas import LEGACY_ROUTES

router = APIRouter(include_in_schema=False)
MOVED = 301


def _redirect_to(target: str) -> Callable[[], Response]:
    def moved() -> Response:
        return RedirectResponse(target, status_code=MOVED)

    return moved


for _old, _new in LEGACY_ROUTES.items():
    router.get(_old)(_redirect_to(_new))
    router.get(_old + "/{rest:path}")(_redirect_to(_new))
