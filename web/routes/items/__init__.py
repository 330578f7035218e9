"""The pages of items of every kind, from one set of handlers: an area's first path segment says the kind."""

from fastapi import APIRouter
from fastapi.routing import APIRoute

from leitstand.catalogue.kinds import KINDS
from web.routes.items import (
    acting,
    agents,
    apps,
    asking,
    boards,
    collections,
    controls,
    editing,
    files,
    history,
    listing,
    pages,
    spaces,
)

router = APIRouter(include_in_schema=False)


def _take(part: APIRouter, prefix: str = "") -> None:
    for route in part.routes:
        assert isinstance(route, APIRoute)  # noqa: S101 - for the type checker
        router.add_api_route(
            prefix + route.path,
            route.endpoint,
            methods=list(route.methods or ()),
            dependencies=route.dependencies,
        )


# What is one kind's alone comes first: its addresses are more exact.
for _part in (collections, boards, controls, spaces, asking, agents, apps):
    _take(_part.router)
_take(spaces.trash_router)
for _kind in KINDS.values():
    for _shared in (files, listing, editing, history, acting, pages):
        _take(_shared.router, _kind.route)
