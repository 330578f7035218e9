"""A path that stands word by word among ours has its own methods, not those of one with a parameter in its place."""

from collections.abc import Iterable, Set

from starlette.requests import Request
from starlette.routing import compile_path

from serving.observe import App, Receive, Scope, Send
from serving.problems import NOT_ALLOWED, problem

Methods = dict[str, set[str]]


class OwnMethods:
    """Answer 405 where `/things/audit` is asked for by a method of `/things/{name}` that it does not have itself."""

    def __init__(self, app: App, routes: Iterable[tuple[str, Set[str]]]) -> None:
        self.app = app
        self.own = [(compile_path(path)[0], methods) for path, methods in hidden(routes).items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            found = next((methods for path, methods in self.own if path.match(scope["path"])), None)
            if found is not None and scope["method"] not in found:
                answer = problem(
                    Request(scope), status=NOT_ALLOWED, kind="http", title="Method Not Allowed",
                    detail="Method Not Allowed", headers={"Allow": ", ".join(sorted(found))},
                )  # fmt: skip
                await answer(scope, receive, send)
                return
        await self.app(scope, receive, send)


def hidden(routes: Iterable[tuple[str, Set[str]]]) -> Methods:
    """The paths that another path's parameters fit as well, with their methods.

    Args:
        routes: paths with parameters in braces, and methods; several of a path are taken together.
    """
    whole: Methods = {}
    for path, methods in routes:
        whole.setdefault(path, set()).update(methods)
    patterns = {path: compile_path(path)[0] for path in whole}
    return {
        path: methods
        for path, methods in whole.items()
        if any(other != path and pattern.match(path) for other, pattern in patterns.items())
    }
