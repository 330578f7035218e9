"""The companion dashboard as it is served, once for every page that is opened."""

import panel as pn

from leitstand.words import N_
from panel_apps.companion.store import CompanionStore
from panel_apps.companion.views import CompanionView
from panel_apps.opening import open_scoped

TITLE, PERMISSION = N_("Insights · Companion"), "insights:read"
STORE, VIEW, TEMPLATE = CompanionStore, CompanionView, "companion.html"


def app() -> pn.Template:
    """The page of the person who opened it, with the choices that its address names."""
    return open_scoped(CompanionStore, CompanionView(), TEMPLATE)
