"""A dashboard of figures for whoever opens its page."""

from typing import Any

import panel as pn
from bokeh.document import Document

from panel_apps.access import visitor_of
from panel_apps.choices import choices
from panel_apps.live import Live
from panel_apps.page import build_page, current_document, sync_address
from panel_apps.scoped import ScopedStore
from panel_apps.view import ScopedView


def open_scoped(make_store: type[ScopedStore], view: ScopedView, template: str) -> pn.Template:
    """The page of the person who opened it, with the choices that its address names.

    Args:
        make_store: its choices and data.
        view: its components.
        template: its cards.
    """
    document = current_document()
    store = make_store(visitor_of(document))
    sync_address(store)
    live = Live(store.visitor, load=store.load, show=view.show, clear=view.clear, status=view.status)
    live.refresh()
    live.watch(document, store, store.CHOICES)
    components = {**view.components(), "signal": signal_of(document, live)}
    return build_page(store.visitor, template, components, choices=choices(store), app=view.APP)


def signal_of(document: Document, live: Live[Any]) -> pn.widgets.TextInput:
    """A field that nobody sees: the page's script writes into it when what is shown should be loaded again."""
    signal = pn.widgets.TextInput(visible=False, margin=0)
    signal.param.watch(lambda _: document.add_next_tick_callback(live.refresh), "value")
    return signal
