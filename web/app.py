"""The web service: pages for people."""

from fastapi import FastAPI

from leitstand.settings import get_settings
from serving.app import create_app
from serving.shell.assets import SOURCES, asset
from web.problem_pages import problem_page
from web.routes import (
    areas,
    assets,
    audit,
    backups,
    checks,
    companions,
    favorites,
    flows,
    gate,
    home,
    insights,
    operations,
    profile,
    refusals,
    reports,
    runbooks,
    search,
    sign_in,
    trash,
)

MODULES = (
    assets,
    sign_in,
    gate,
    home,
    search,
    companions,
    flows,
    favorites,
    trash,
    insights,
    refusals,
    reports,
    operations,
    audit,
    backups,
    checks,
    runbooks,
    profile,
    areas,
)


def create() -> FastAPI:
    """The application; `uvicorn --factory web.app:create`."""
    get_settings()
    for name in SOURCES:
        asset(name)
    app = create_app("web", title="Leitstand", pages=problem_page)
    for module in MODULES:
        app.include_router(module.router)
    return app
