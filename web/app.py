"""The web service: pages for people."""

from fastapi import FastAPI
from starlette.middleware import Middleware

from leitstand.settings import get_settings
from serving.app import create_app
from serving.body_limit import LimitBody
from serving.by_segment import serve_routes
from serving.shell.assets import SOURCES, asset
from web.problem_pages import problem_page
from web.routes import (
    areas,
    assets,
    assistant,
    audit,
    backups,
    billing,
    checks,
    companions,
    conversation_answers,
    conversations,
    external_users,
    favorites,
    flow_preview,
    flow_steps,
    flows,
    forgotten,
    gate,
    groups,
    home,
    insights,
    integrations,
    items,
    join,
    members,
    membership,
    model_endpoints,
    operations,
    organisation,
    profile,
    profile_passkeys,
    profile_tokens,
    refusals,
    reports,
    roles,
    runbooks,
    s3_imports,
    search,
    share,
    sign_in,
    sign_in_ways,
    sign_on,
    status,
    threads,
    tools,
    trash,
    two_step,
    webhook_deliveries,
    webhooks,
)

MODULES = (
    assets,
    sign_in,
    sign_in_ways,
    forgotten,
    gate,
    home,
    search,
    companions,
    conversation_answers,
    conversations,
    assistant,
    threads,
    flow_preview,
    flow_steps,
    flows,
    items,
    favorites,
    trash,
    insights,
    refusals,
    reports,
    operations,
    organisation,
    audit,
    billing,
    backups,
    checks,
    runbooks,
    profile,
    profile_tokens,
    profile_passkeys,
    two_step,
    sign_on,
    status,
    members,
    roles,
    groups,
    external_users,
    share,
    join,
    membership,
    integrations,
    webhooks,
    webhook_deliveries,
    model_endpoints,
    s3_imports,
    tools,
    areas,
)


# Documents of a space are the largest that is sent here; whoever has more at once uses the command.
LARGEST_BODY = 100 * 1024 * 1024


def create() -> FastAPI:
    """The application; `uvicorn --factory web.app:create`."""
    get_settings()
    for name in SOURCES:
        asset(name)
    app = create_app("web", title="Leitstand", pages=problem_page)
    app.user_middleware.append(Middleware(LimitBody, largest=LARGEST_BODY, pages=problem_page))
    serve_routes(app, [module.router for module in MODULES])
    return app
