"""The agents dashboard as it is served, once for every page that is opened."""

import panel as pn

from leitstand.words import N_
from panel_apps.agents.store import AgentsStore
from panel_apps.agents.views import AgentsView
from panel_apps.opening import open_scoped

TITLE, PERMISSION = N_("Insights · Agents"), "insights:read"
STORE, VIEW, TEMPLATE = AgentsStore, AgentsView, "agents.html"


def app() -> pn.Template:
    """The page of the person who opened it, with the choices that its address names."""
    return open_scoped(AgentsStore, AgentsView(), TEMPLATE)
