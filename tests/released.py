"""A small service made as every service of ours is, which releases are tried with.

Variables make it a release that does no good: never ready, or failing once people use it.
"""

import os
from itertools import count

from fastapi import FastAPI
from fastapi.responses import HTMLResponse

from leitstand.errors import NotSignedIn
from serving.app import create_app

UNREADY, FAILING = "LEITSTAND_TEST_UNREADY", "LEITSTAND_TEST_FAILING"


def create() -> FastAPI:
    """The application."""
    app, asked = create_app("web", title="Released", probes={"dependency": _probe}), count()

    @app.get("/sign-in")
    async def sign_in() -> HTMLResponse:
        # The first is the smoke test's.
        if os.environ.get(FAILING) and next(asked):
            raise RuntimeError("it fails in use")
        return HTMLResponse('<input type="password">')

    @app.get("/api/v1/me")
    async def me() -> None:
        raise NotSignedIn("Nobody is signed in.")

    return app


def _probe() -> None:
    if os.environ.get(UNREADY):
        raise RuntimeError("not ready")
