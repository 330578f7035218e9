"""The JSON API: what the pages do, for programs that are signed in or have an API token."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

from fastapi import FastAPI
from starlette.middleware import Middleware

from api import (
    account,
    annotations,
    audit,
    backups,
    billing,
    billing_messages,
    checks,
    companions,
    conversations,
    document,
    documents,
    events,
    favorites,
    grants,
    groups,
    insights,
    integrations,
    me,
    members,
    operations,
    organisation,
    reports,
    roles,
    runbooks,
    s3_imports,
    search,
    sign_on,
    threads,
    tokens,
    tools,
    trash,
    uploads,
    views,
)
from api.items import everything, kinds
from serving.app import create_app
from serving.body_limit import LimitBody
from serving.own_methods import OwnMethods

PREFIX = "/api/v1"
MODULES: tuple[Any, ...] = (
    me,
    account,
    search,
    tokens,
    companions,
    documents,
    uploads,
    conversations,
    threads,
    everything,
    *(SimpleNamespace(router=router) for router in kinds.routers()),
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
    organisation,
    billing,
    billing_messages,
    audit,
    members,
    roles,
    groups,
    grants,
    integrations,
    sign_on,
    s3_imports,
    tools,
)
# Large files come in pieces of at most so much.
LARGEST_BODY = 16 * 1024 * 1024


def create() -> FastAPI:
    """The application; `uvicorn --factory api.app:create`."""
    app = create_app("api", title="Leitstand API", openapi_url=f"{PREFIX}/openapi.json")
    app.state.takes_tokens = True
    app.user_middleware.append(Middleware(LimitBody, largest=LARGEST_BODY))
    app.user_middleware.append(Middleware(OwnMethods, routes=list(_routes())))
    for module in MODULES:
        app.include_router(module.router, prefix=PREFIX)
    document.install(app, PREFIX)
    return app


def _routes() -> Iterator[tuple[str, set[str]]]:
    for module in MODULES:
        for route in module.router.routes:
            yield PREFIX + route.path, route.methods
