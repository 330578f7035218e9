"""What no service has to deal with: requests that can only be mistakes or attacks."""

from starlette.requests import Request

from serving.observe import App, Receive, Scope, Send
from serving.problems import problem

BAD_REQUEST = 400


class RefuseNul:
    """Refuse a NUL in path or query: no text of ours has one, and PostgreSQL stores none."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and ("\x00" in scope["path"] or b"%00" in scope["query_string"]):
            detail = "The address has a character in it that no text has."
            answer = problem(
                Request(scope), status=BAD_REQUEST, kind="invalid-input", title="Invalid input", detail=detail
            )
            await answer(scope, receive, send)
            return
        await self.app(scope, receive, send)
