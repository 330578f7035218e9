"""The JSON API: what the pages do, for programs that are signed in or have an API token."""

from fastapi import FastAPI
from starlette.middleware import Middleware

from api import (
    annotations,
    audit,
    backups,
    checks,
    companions,
    events,
    favorites,
    insights,
    me,
    operations,
    reports,
    runbooks,
    tokens,
    trash,
    views,
)
from serving.app import create_app
from serving.body_limit import LimitBody

PREFIX = "/api/v1"
MODULES = (
    me,
    tokens,
    companions,
    favorites,
    trash,
    events,
    insights,
    annotations,
    views,
    reports,
    operations,
    backups,
    checks,
    runbooks,
    audit,
)
# What is sent here is JSON; files go to the object store.
LARGEST_BODY = 16 * 1024 * 1024


def create() -> FastAPI:
    """The application; `uvicorn --factory api.app:create`."""
    app = create_app("api", title="Leitstand API", openapi_url=f"{PREFIX}/openapi.json")
    app.state.takes_tokens = True
    app.user_middleware.append(Middleware(LimitBody, largest=LARGEST_BODY))
    for module in MODULES:
        app.include_router(module.router, prefix=PREFIX)
    return app
