"""The usage dashboard as it is served, once for every page that is opened."""

import panel as pn

from leitstand.words import N_
from panel_apps.opening import open_scoped
from panel_apps.usage.store import UsageStore
from panel_apps.usage.views import UsageView

TITLE, PERMISSION = N_("Insights · Usage"), "insights:read"
STORE, VIEW, TEMPLATE = UsageStore, UsageView, "usage.html"


def app() -> pn.Template:
    """The page of the person who opened it, with the choices that its address names."""
    return open_scoped(UsageStore, UsageView(), TEMPLATE)
