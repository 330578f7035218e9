"""The application factory of every HTTP service."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from fastapi import FastAPI
from sqlalchemy import text

from leitstand.db.engine import get_engine
from leitstand.settings import get_settings
from leitstand.telemetry.logs import configure_logging
from leitstand.telemetry.traces import configure_tracing, shut_down
from serving import health, problems
from serving.guards import RefuseNul
from serving.headers import STRICT_CSP, SecurityHeaders
from serving.language import AskedLanguage
from serving.observe import Observe

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def probe_database() -> None:
    """Raise unless the database answers."""
    with get_engine().connect() as connection:
        connection.execute(text("SELECT 1"))


def create_app(
    service: str,
    *,
    title: str,
    probes: Mapping[str, health.Probe] | None = None,
    lifespan: Lifespan | None = None,
    csp: str = STRICT_CSP,
    openapi_url: str | None = None,
    pages: problems.ProblemPages | None = None,
) -> FastAPI:
    """A FastAPI application with logs, metrics, health, problem details and security headers.

    Args:
        service: name in `leitstand.services`.
        title: shown in the OpenAPI document.
        probes: what readiness asks; the database when omitted.
        lifespan: start-up and shut-down of the service's own.
        csp: content security policy of its answers.
        openapi_url: where the OpenAPI document is served; nowhere when omitted.
        pages: gives the page of a problem where a service has pages; problem documents when omitted.
    """

    @asynccontextmanager
    async def whole(app: FastAPI) -> AsyncIterator[None]:
        settings = get_settings()
        configure_logging(service, settings.log_level, colour=settings.colour)
        configure_tracing(service, settings.otlp_endpoint)
        if lifespan is None:
            yield
        else:
            async with lifespan(app):
                yield
        shut_down()
        get_engine().dispose()

    app = FastAPI(
        title=title,
        lifespan=whole,
        openapi_url=openapi_url,
        docs_url=None,
        redoc_url=None,
        # Generated clients call their functions by it.
        generate_unique_id_function=lambda route: route.name,
    )
    app.add_middleware(RefuseNul)
    problems.install(app, pages)
    app.add_middleware(AskedLanguage)
    app.add_middleware(SecurityHeaders, csp=csp)
    app.add_middleware(Observe, service=service)
    health.install(app, service, {"database": probe_database} if probes is None else probes)
    return app
