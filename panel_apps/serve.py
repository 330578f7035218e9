"""The insights service: FastAPI with the dashboards under /insights behind the session of the web pages."""

import asyncio
import hmac
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import ModuleType

import panel as pn
from bokeh.settings import settings as bokeh_settings
from fastapi import FastAPI
from panel.io.fastapi import add_applications
from starlette.middleware import Middleware

from leitstand.identity.secret import signing_key
from leitstand.identity.sessions import COOKIE
from panel_apps import assets, exports
from panel_apps.access import PREFIX, SessionCookiePolicy
from panel_apps.agents import app as agents
from panel_apps.audience import app as audience
from panel_apps.companion import app as companion
from panel_apps.flow import app as flow
from panel_apps.gate import Gate
from panel_apps.ingestion import app as ingestion
from panel_apps.operations import app as operations
from panel_apps.overview import app as overview
from panel_apps.page import guarded
from panel_apps.rehearsal import rehearse
from panel_apps.usage import app as usage
from serving.app import create_app
from serving.headers import DASHBOARD_CSP

APPLICATIONS: dict[str, ModuleType] = {
    "/overview": overview,
    "/companion": companion,
    "/flow": flow,
    "/audience": audience,
    "/agents": agents,
    "/ingestion": ingestion,
    "/usage": usage,
    "/operations": operations,
}
# A page whose connection broke may come back within this time.
KEPT_WITHOUT_PAGE_MS = 20_000
TIDIED_EVERY_MS = 10_000


def create() -> FastAPI:
    """The ASGI application of the insights service (a factory for uvicorn)."""
    app = create_app("insights", title="Leitstand insights", csp=DASHBOARD_CSP, lifespan=rehearsed)
    app.include_router(assets.router)
    app.include_router(exports.router_of(APPLICATIONS))
    mount(app, APPLICATIONS)
    return app


@asynccontextmanager
async def rehearsed(app: FastAPI) -> AsyncIterator[None]:
    """Start with every dashboard opened once."""
    await asyncio.to_thread(rehearse, app.state.dashboards)
    yield


def mount(app: FastAPI, applications: dict[str, ModuleType]) -> None:
    """Put dashboards under `PREFIX`, behind the gate and inside of what every service has around it.

    Args:
        applications: by path below the prefix, modules with `app`, `TITLE` and `PERMISSION`.
    """
    configure_panel()
    policy = SessionCookiePolicy({path: module.PERMISSION for path, module in applications.items()})
    served = add_applications(
        {path: guarded(module.app, module.TITLE) for path, module in applications.items()},
        app=app,
        prefix=PREFIX,
        title={path: module.TITLE for path, module in applications.items()},
        index_enabled=False,
        ico_path="none",
        auth_policy=policy,
        exclude_cookies=[COOKIE],
        exclude_headers=["Cookie", "cookie", "Authorization", "authorization"],
        sign_sessions=True,
        secret_key=document_key(),
        unused_session_lifetime_milliseconds=KEPT_WITHOUT_PAGE_MS,
        check_unused_sessions_milliseconds=TIDIED_EVERY_MS,
    )
    policy.applications = app.state.dashboards = served.applications
    # Panel puts itself before everything else; it belongs behind logs, headers and the gate.
    dispatch = app.user_middleware.pop(0)
    app.user_middleware += [Middleware(Gate, documents=[PREFIX + path for path in applications]), dispatch]


def configure_panel() -> None:
    """What holds for every dashboard: everything from here, and nothing loaded on demand."""
    bokeh_settings.resources = "server"
    pn.config.param.update(browser_info=False, lazy_resources=False, notifications=False, reconnect=True)


def document_key() -> bytes:
    """The key that signs the tokens of dashboards' documents; another one than that of forms.

    Raises:
        PreconditionFailed: there is no session secret; anybody could forge a token.
    """
    return hmac.digest(signing_key(), b"dashboards", "sha256")
