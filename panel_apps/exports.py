"""Dashboards as files for the choices that their address names: a table as CSV, the whole page as HTML."""

from collections.abc import Mapping
from types import ModuleType
from typing import Any

from fastapi import APIRouter, Request, Response

from leitstand.errors import NotFound
from leitstand.identity.access import Principal, require
from leitstand.insights.scope import DAY
from leitstand.words import msg
from panel_apps.access import PREFIX, Present
from panel_apps.speech import speaking
from panel_apps.static_page import static_page
from panel_apps.tables import to_csv
from serving.language import language_of
from serving.session import CurrentPrincipal


def router_of(applications: Mapping[str, ModuleType]) -> APIRouter:
    """The endpoints of files.

    Args:
        applications: by path below the prefix, modules with `PERMISSION`, `STORE`, `VIEW` and `TEMPLATE`.
    """
    router = APIRouter(include_in_schema=False)

    def asked(principal: Principal, app: str) -> ModuleType:
        module = applications.get(f"/{app}")
        if module is None:
            raise NotFound(
                "There is no such dashboard.",
                hint=msg("There are: {applications}.", applications=", ".join(applications)),
            )
        require(principal, module.PERMISSION)
        return module

    @router.get(f"{PREFIX}/export/{{app}}/{{table}}.csv")
    def table_file(request: Request, principal: CurrentPrincipal, app: str, table: str) -> Response:
        """One table of a dashboard as CSV; the rows of the page, all of them."""
        module = asked(principal, app)
        tables = getattr(module.VIEW, "TABLES", {})
        if table not in tables:
            raise NotFound(
                "There is no such table.",
                hint=msg("There are: {tables}.", tables=", ".join(tables) or "none"),
            )
        snapshot = _store(module, principal, request).load()
        text = to_csv(*tables[table].of(snapshot.answers))
        first, last = snapshot.scope.start, snapshot.scope.end - DAY
        return _file(text, "text/csv; charset=utf-8", f"{table}_{first}_{last}.csv")

    @router.get(f"{PREFIX}/export/{{app}}.html")
    def page_file(request: Request, principal: CurrentPrincipal, app: str) -> Response:
        """A dashboard as one page that needs no server."""
        module = asked(principal, app)
        with speaking(language_of(principal)):
            view = module.VIEW()
            view.fill(_store(module, principal, request))
            page = static_page(principal, view, module.TEMPLATE)
        return _file(page, "text/html; charset=utf-8", f"{app}.html")

    return router


def _store(module: ModuleType, principal: Principal, request: Request) -> Any:
    """The dashboard's store with what the address chooses; a forged choice is corrected as on the page."""
    chosen = {name: value for name, value in request.query_params.items() if name in module.STORE.CHOICES}
    return module.STORE(Present(principal, module.PERMISSION, ""), **chosen)


def _file(content: str, media_type: str, name: str) -> Response:
    headers = {
        "Content-Disposition": f'attachment; filename="{name}"',
        "Cache-Control": "private, no-store",
    }
    return Response(content, media_type=media_type, headers=headers)
