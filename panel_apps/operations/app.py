"""The operations dashboard as it is served, once for every page that is opened."""

import panel as pn

from leitstand.words import N_
from panel_apps.access import visitor_of
from panel_apps.live import Live
from panel_apps.opening import begin, signal_of
from panel_apps.operations.refreshing import Refreshing
from panel_apps.operations.store import PERIODS, REFRESHES, OperationsStore
from panel_apps.operations.views import OperationsView
from panel_apps.page import build_page, current_document
from panel_apps.speech import told

TITLE, PERMISSION = N_("Insights · Operations"), "operations:read"
STORE, VIEW, TEMPLATE = OperationsStore, OperationsView, "operations.html"


def app() -> pn.Template:
    """The page of the person who opened it, with the period and rhythm that its address names."""
    document = current_document()
    store, view = OperationsStore(visitor_of(document)), OperationsView()
    begin(store, view.APP)
    live = Live(store.visitor, load=store.load, show=view.present, clear=view.clear, status=view.status)
    live.refresh()
    live.watch(document, store, store.CHOICES)
    refreshing = Refreshing(document, live, store, view)
    further = {"now": refreshing.button, "signal": signal_of(document, live)}
    choices = {
        "store": store,
        "periods": {word: told(title) for word, title in PERIODS.items()},
        "refreshes": {word: told(title) for word, title in REFRESHES.items()},
    }
    return build_page(store.visitor, TEMPLATE, view.components() | further, app=view.APP, **choices)
