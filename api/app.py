"""The JSON API: what the pages do, for programs that are signed in."""

from fastapi import FastAPI

from api import annotations, audit, companions, favorites, insights, me, operations, trash, views
from serving.app import create_app

PREFIX = "/api/v1"
MODULES = (me, companions, favorites, trash, insights, annotations, views, operations, audit)


def create() -> FastAPI:
    """The application; `uvicorn --factory api.app:create`."""
    app = create_app("api", title="Leitstand API", openapi_url=f"{PREFIX}/openapi.json")
    for module in MODULES:
        app.include_router(module.router, prefix=PREFIX)
    return app
