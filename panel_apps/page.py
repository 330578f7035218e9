"""A dashboard's page: a template over the shell of the web pages, and the components inside it."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import bokeh
import panel as pn
from bokeh.document import Document
from panel.io.state import state

from leitstand.telemetry.logs import get_logger
from panel_apps.access import FAILED, PREFIX, Visitor, request_of, visitor_of
from panel_apps.assets import asset_url, inner_styles
from panel_apps.definitions import definitions
from panel_apps.script_words import script_words
from panel_apps.speech import language, speaking, told
from serving import shell
from serving.shell.assets import static_url

log = get_logger("dashboards")
TEMPLATES = Path(__file__).parent / "templates"


class Page(pn.Template):
    """A template that leaves nothing behind, and whose name is short.

    Panel 1.10 notes a root of every page in a list that it goes through at each update, and forgets to take it out
    with the page; and it makes the long name of a template anew for every component that is added.
    """

    def __repr__(self) -> str:
        return f"Page({len(self._render_items)} components)"

    def _init_doc(self, *args: Any, **more: Any) -> Document:
        document: Document = super()._init_doc(*args, **more)
        own = [ref for ref in list(state._fake_roots) if state._views.get(ref, (None,) * 3)[2] is document]
        # Panel's own clean-up removes the root that stands here.
        self._refs[document] = own[-1]
        return document


def build_page(
    visitor: Visitor, template: str, components: Mapping[str, Any], **variables: Any
) -> pn.Template:
    """A page of the shell around named components.

    Args:
        visitor: whose page it is.
        template: a template that extends `dashboard.html` and embeds every component by its name.
        components: Panel components by name.
        variables: further names for the template.
    """
    markup = shell.environment(TEMPLATES, language=language()).get_template(template)
    page = Page(markup, items=dict(components), location=True)
    known = {
        "asset": asset_url,
        "scripts": scripts(),
        "frame": "dashboard.html",
        "define": definitions(),
        "words": script_words(),
        "exported": False,
    } | variables
    for name, value in shell.context(visitor.principal, area="insights", **known).items():
        page.add_variable(name, value)
    return page


def current_document() -> Document:
    """The document that is being opened."""
    document = pn.state.curdoc
    if document is None:
        raise RuntimeError("a dashboard is opened by a request only")
    return document


def sync_address(store: Any) -> None:
    """Keep a store's `CHOICES` and the page's address in step, beginning with what the address says."""
    address = pn.state.location
    if address is None:
        raise RuntimeError("a dashboard is served with its address")

    def take(*_: Any) -> None:
        # Panel leaves out what begins like JSON and is none.
        said = dict(parse_qsl(address.search.removeprefix("?")))
        store.param.update(**{name: said[name] for name in store.CHOICES if name in said})

    take()
    address.sync(store, {name: name for name in store.CHOICES})
    address.param.watch(take, "search")


def guarded(build: Callable[[], pn.Template], title: str) -> Callable[[], pn.Template]:
    """An application that never raises: Panel would print the traceback, and show it to the person.

    Args:
        build: makes the page of the document that is being opened.
        title: what the browser calls it.
    """

    def app() -> pn.Template:
        document = current_document()
        visitor = visitor_of(document)
        with speaking(visitor.language):
            document.title = told(title)
            try:
                return build()
            except Exception:
                log.exception("a dashboard could not be opened")
                request_of(document).state[FAILED] = True
                return build_page(visitor, "failed.html", {})

    return app


@lru_cache(maxsize=1)
def scripts() -> tuple[str, ...]:
    """Addresses of the scripts that a page needs, with their versions so that browsers keep them.

    Panel's own list has MathJax, WebGL and module shims too: two more megabytes that no dashboard uses.
    """
    ours = [f"js/{name}.min.js?v={bokeh.__version__}" for name in ("bokeh", "bokeh-widgets")]
    return tuple(
        f"{PREFIX}/static/{path}" for path in (*ours, f"extensions/panel/panel.min.js?v={pn.__version__}")
    )


def styles() -> list[str]:
    """Style sheets for components: the look of the shell inside of their shadow roots."""
    return [static_url("app.css"), inner_styles()]


def html_pane(stylesheets: list[str], **more: Any) -> pn.pane.HTML:
    """An empty place for HTML that we made (and escaped) ourselves."""
    return pn.pane.HTML(
        "", sizing_mode="stretch_width", margin=0, disable_math=True, stylesheets=stylesheets, **more
    )


def chart_pane(plot: Any) -> pn.pane.Bokeh:
    """The place of a chart."""
    return pn.pane.Bokeh(plot, sizing_mode="stretch_width", margin=0, autodispatch=False)
