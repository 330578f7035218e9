"""Idempotency-Key on every writing endpoint: a route class, so that no endpoint has to think of it.

The dependency holds the key before the work; the route keeps the answer when the endpoint has given it and the
transaction is not yet committed. So work and answer are there both or neither, also where the process is killed.
Only answers of work that was done are kept: an error has changed nothing, and the request may be sent again.
"""

import json
from collections.abc import Callable, Coroutine, Sequence
from typing import Annotated, Any

from fastapi import Depends, Header, Request, Response, params
from fastapi.routing import APIRoute
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from leitstand.errors import InvalidInput
from leitstand.identity.idempotency import LONGEST_KEY, Claim, Kept, claim, fingerprint, keep
from serving.session import SAFE_METHODS, CurrentPrincipal, Db, require_csrf

KEPT_HEADERS = ("content-type", "location", "cache-control")
REPLAYED = "Idempotency-Replayed"
Handler = Callable[[Request], Coroutine[Any, Any, Response]]
Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        description="Sending a request again with its key does nothing twice.",
        min_length=1,
        max_length=LONGEST_KEY,
        pattern="^[!-~]+$",
    ),
]


class Replayed(Exception):
    """The request was answered before; carries that answer past the endpoint."""

    def __init__(self, kept: Kept) -> None:
        super().__init__()
        self.kept = kept


class OnceRoute(APIRoute):
    """A route whose writes honour an Idempotency-Key."""

    def __init__(
        self,
        path: str,
        endpoint: Callable[..., Any],
        *,
        dependencies: Sequence[params.Depends] | None = None,
        methods: Any = None,
        **more: Any,
    ) -> None:
        needed = list(dependencies or ())
        # A router that is included makes its routes anew, with the dependencies that they have already.
        if set(methods or ()) - SAFE_METHODS and HOLD not in needed:
            needed.append(HOLD)
        super().__init__(path, endpoint, dependencies=needed, methods=methods, **more)

    def get_route_handler(self) -> Handler:
        """The endpoint's handler; it keeps the answer where the request holds a key."""
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            try:
                response = await handler(request)
            except Replayed as replayed:
                return _again(replayed.kept)
            held: tuple[Session, Claim] | None = getattr(request.state, "held_key", None)
            if held is not None:
                await run_in_threadpool(keep, *held, _answer(request, response))
            return response

        return handle


async def hold_key(request: Request, session: Db, principal: CurrentPrincipal, key: Key = None) -> None:
    """Hold the request's key, if it names one, until the transaction ends.

    Raises:
        InvalidInput: the key, one that was used for another request, or a form with files, which has none.
        Conflict: it is in use.
        Replayed: it was answered before.
    """
    if key is None:
        return
    await require_csrf(request, principal)
    if request.headers.get("content-type", "").lower().startswith("multipart/"):
        raise InvalidInput("A form with files takes no Idempotency-Key.", hint="Send it without one.")
    address = f"{request.url.path}?{request.url.query}"
    whole = fingerprint(request.method.encode(), address.encode(), await request.body())
    found = await run_in_threadpool(claim, session, principal=principal, key=key, fingerprint=whole)
    if isinstance(found, Kept):
        raise Replayed(found)
    request.state.held_key = (session, found)


HOLD = Depends(hold_key)


def shown_once(request: Request, member: str) -> None:
    """Keep the answer's member out of what is kept: it is a secret that only the first answer may hold."""
    request.state.shown_once = member


def _answer(request: Request, response: Response) -> Kept:
    headers = {name: response.headers[name] for name in KEPT_HEADERS if name in response.headers}
    body = bytes(response.body)
    secret = getattr(request.state, "shown_once", "")
    if secret:
        body = json.dumps(json.loads(body) | {secret: None}).encode()
    return Kept(response.status_code, headers, body)


def _again(kept: Kept) -> Response:
    return Response(kept.body, kept.status, headers={**kept.headers, REPLAYED: "true"})
