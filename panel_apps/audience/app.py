"""The audience dashboard as it is served, once for every page that is opened."""

import panel as pn

from leitstand.words import N_
from panel_apps.audience.store import AudienceStore
from panel_apps.audience.views import AudienceView
from panel_apps.opening import open_scoped

TITLE, PERMISSION = N_("Insights · Audience"), "insights:read"
STORE, VIEW, TEMPLATE = AudienceStore, AudienceView, "audience.html"


def app() -> pn.Template:
    """The page of the person who opened it, with the choices that its address names."""
    return open_scoped(AudienceStore, AudienceView(), TEMPLATE)
