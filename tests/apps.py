"""The web service and the JSON API, made once for all tests of a worker.

Both ask for settings and database at each request and keep nothing of a test; to give them their hundreds of routes
takes half a second.
"""

from functools import lru_cache

from fastapi import FastAPI


@lru_cache(maxsize=1)
def web_app() -> FastAPI:
    """The pages."""
    from web.app import create

    return create()


@lru_cache(maxsize=1)
def api_app() -> FastAPI:
    """The JSON API."""
    from api.app import create

    return create()
