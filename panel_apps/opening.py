"""A dashboard of figures for whoever opens its page."""

from html import escape
from typing import Any

import panel as pn
from bokeh.document import Document

from leitstand.insights.saved_views import first_view
from panel_apps.access import request_of, visitor_of
from panel_apps.choices import choices
from panel_apps.live import Live
from panel_apps.page import build_page, current_document, sync_address
from panel_apps.scoped import ScopedStore
from panel_apps.speech import say
from panel_apps.view import ScopedView
from serving.session import transaction_of


def open_scoped(make_store: type[ScopedStore], view: ScopedView, template: str) -> pn.Template:
    """The page of the person who opened it, with the choices that its address names.

    Args:
        make_store: its choices and data.
        view: its components.
        template: its cards.
    """
    document = current_document()
    store = make_store(visitor_of(document))
    told = begin(store, view.APP)
    live = Live(store.visitor, load=store.load, show=view.present, clear=view.clear, status=view.status)
    live.refresh()
    if told:
        view.status.object = f'{view.status.object}<p class="shown">{told}</p>'
    live.watch(document, store, store.CHOICES)
    components = {**view.components(), "signal": signal_of(document, live)}
    return build_page(store.visitor, template, components, choices=choices(store), app=view.APP)


def begin(store: Any, app: str) -> str:
    """Choose what the address says, else what the first saved view does (one's own, or the workspace's).

    Returns:
        A sentence about the view that was taken, as HTML; empty without.
    """
    sync_address(store)
    if set(request_of(current_document()).arguments) & set(store.CHOICES):
        return ""
    principal = store.visitor.principal
    with transaction_of(principal) as session:
        view = first_view(session, principal=principal, app=app) if principal.may("insights:read") else None
        if view is None:
            return ""
        store.param.update(**{name: value for name, value in view.choices.items() if name in store.CHOICES})
        if view.owner_id == principal.person_id and view.first_for_owner:
            return escape(say("Shown as in your view “{name}”.", name=view.name), quote=False)
        return escape(say("Shown as in the workspace’s view “{name}”.", name=view.name), quote=False)


def signal_of(document: Document, live: Live[Any]) -> pn.widgets.TextInput:
    """A field that nobody sees: the page's script writes into it when what is shown should be loaded again."""
    signal = pn.widgets.TextInput(visible=False, margin=0)
    signal.param.watch(lambda _: document.add_next_tick_callback(live.refresh), "value")
    return signal
