"""Finding the route of a request by the first segment of its path, where there are hundreds of routes."""

import re
from collections import defaultdict
from collections.abc import Sequence

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.routing import Match, Router

from serving.observe import Receive, Scope, Send

FIRST_SEGMENT = re.compile(r"/([^/{}]*)(?:/|$)")


class BySegment:
    """Dispatch as the router does, after those routes alone that a path can be of.

    A router tries its routes one after the other; trying a few hundred costs more than many a page. What is not found
    here (another method, a slash too many, nothing at all) is answered by the router itself.

    Args:
        router: with all its routes; each of them begins with a segment that is no parameter.
    """

    def __init__(self, router: Router) -> None:
        self.router = router
        self.routes: dict[str, list[APIRoute]] = defaultdict(list)
        for route in router.routes:
            if isinstance(route, APIRoute) and (found := FIRST_SEGMENT.match(route.path)):
                self.routes[found[1]].append(route)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            segment = scope["path"].removeprefix("/").partition("/")[0]
            for route in self.routes.get(segment, ()):
                match, child = route.matches(scope)
                if match is Match.FULL:
                    scope.update(child, router=self.router)
                    await route.handle(scope, receive, send)
                    return
        await self.router.app(scope, receive, send)


def serve_routes(app: FastAPI, routers: Sequence[Router]) -> None:
    """Let an application serve the routes of these routers, the first that matches, found by their first segment."""
    for router in routers:
        for route in router.routes:
            if not isinstance(route, APIRoute):
                raise TypeError(f"{route!r} is no route of a handler")
            app.router.add_api_route(
                route.path,
                route.endpoint,
                methods=sorted(route.methods or ()),
                dependencies=route.dependencies,
                response_class=route.response_class,
                include_in_schema=route.include_in_schema,
                name=route.name,
            )
    app.router.middleware_stack = BySegment(app.router)
