"""The overview as it is served, once for every page that is opened."""

import panel as pn

from leitstand.words import N_
from panel_apps.opening import open_scoped
from panel_apps.overview.store import OverviewStore
from panel_apps.overview.views import OverviewView

TITLE, PERMISSION = N_("Insights · Overview"), "insights:read"
STORE, VIEW, TEMPLATE = OverviewStore, OverviewView, "overview.html"


def app() -> pn.Template:
    """The page of the person who opened it, with the choices that its address names."""
    return open_scoped(OverviewStore, OverviewView(), TEMPLATE)
