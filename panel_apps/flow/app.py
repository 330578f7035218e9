"""The flow dashboard as it is served, once for every page that is opened."""

import panel as pn

from leitstand.words import N_
from panel_apps.flow.store import FlowStore
from panel_apps.flow.views import FlowView
from panel_apps.opening import open_scoped

TITLE, PERMISSION = N_("Insights · Flow"), "insights:read"
STORE, VIEW, TEMPLATE = FlowStore, FlowView, "flow.html"


def app() -> pn.Template:
    """The page of the person who opened it, with the choices that its address names."""
    return open_scoped(FlowStore, FlowView(), TEMPLATE)
