"""The ingestion dashboard as it is served, once for every page that is opened."""

import panel as pn

from leitstand.words import N_
from panel_apps.ingestion.store import IngestionStore
from panel_apps.ingestion.views import IngestionView
from panel_apps.opening import open_scoped

TITLE, PERMISSION = N_("Insights · Ingestion"), "insights:read"
STORE, VIEW, TEMPLATE = IngestionStore, IngestionView, "ingestion.html"


def app() -> pn.Template:
    """The page of the person who opened it, with the choices that its address names."""
    return open_scoped(IngestionStore, IngestionView(), TEMPLATE)
