"""A request's body has a largest size, whether it says so beforehand or not."""

from starlette.requests import Request
from starlette.responses import Response

from serving.observe import App, Message, Receive, Scope, Send
from serving.problems import Problem, ProblemPages, problem, request_id_of

TOO_LARGE = 413
TITLE = "That is too large"


class LimitBody:
    """Answer 413 to a body of more than `largest` bytes, after reading no more than that of it."""

    def __init__(self, app: App, largest: int, pages: ProblemPages | None = None) -> None:
        self.app = app
        self.largest = largest
        self.pages = pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if _declared(scope) > self.largest:
            await self._refuse(scope, receive, send)
            return
        read, exceeded, started = 0, False, False

        async def counted() -> Message:
            nonlocal read, exceeded
            message = await receive()
            read += len(message.get("body", b""))
            if read > self.largest:
                exceeded = True
                return {"type": "http.disconnect"}
            return message

        async def guarded(message: Message) -> None:
            nonlocal started
            if not exceeded:
                started = started or message["type"] == "http.response.start"
                await send(message)

        try:
            await self.app(scope, counted, guarded)
        except Exception:
            # Whoever was reading the body is told that the client has gone; that is not what is answered.
            if not exceeded:
                raise
        if exceeded and not started:
            await self._refuse(scope, receive, send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        detail = f"A request may have at most {self.largest:,} bytes."
        found = Problem(TOO_LARGE, "too-large", TITLE, detail, request_id=request_id_of(request))
        page: Response | None = self.pages(request, found) if self.pages else None
        answer = page or problem(request, status=TOO_LARGE, kind="too-large", title=TITLE, detail=detail)
        # The rest of the body is not read, so the connection can't be used again.
        answer.headers["Connection"] = "close"
        await answer(scope, receive, send)


def _declared(scope: Scope) -> int:
    """The body's size by its header; 0 where there is none or none that can be read."""
    for name, value in scope["headers"]:
        if name.lower() == b"content-length" and value.isdigit():
            return int(value[:20])
    return 0
