"""The overview as it is served, once for every page that is opened."""

import panel as pn

from panel_apps.access import visitor_of
from panel_apps.live import Live
from panel_apps.overview.choices import choices
from panel_apps.overview.store import OverviewStore
from panel_apps.overview.views import OverviewView
from panel_apps.page import build_page, current_document, sync_address

TITLE, PERMISSION = "Insights · Overview", "insights:read"


def app() -> pn.Template:
    """The page of the person who opened it, with the range, zone and companion that its address names."""
    document = current_document()
    store, view = OverviewStore(visitor_of(document)), OverviewView()
    sync_address(store)
    live = Live(store.visitor, load=store.load, show=view.show, clear=view.clear, status=view.status)
    live.refresh()
    live.watch(document, store, store.CHOICES)
    return build_page(store.visitor, "overview.html", view.components(), choices=choices(store))
