"""A dashboard as a page of its own: figures as they were seen, charts that still answer to the pointer, no server."""

import re
from datetime import UTC, datetime
from functools import lru_cache

import jinja2
from bokeh.embed import components
from bokeh.util.paths import bokehjs_path

from leitstand.identity.access import Principal
from panel_apps.assets import file_text, inner_styles
from panel_apps.definitions import definitions
from panel_apps.page import TEMPLATES
from panel_apps.speech import day_and_time, language
from panel_apps.view import View
from serving import shell
from serving.shell import assets

# The sprite of icons is another file; what an icon says stands beside it as a word.
ICON = re.compile(r'<svg class="icon".*?</svg>', re.DOTALL)
# How a template asks for a component; on a static page it is HTML already.
EMBED = jinja2.Environment(autoescape=False).from_string("{% macro embed(root) %}{{ root }}{% endmacro %}")  # noqa: S701


def static_page(principal: Principal, view: View, template: str) -> str:
    """The HTML of a filled view in its own template; it names no other file.

    Args:
        principal: whose page it is; the file says so.
        view: filled components.
        template: the dashboard's own.
    """
    figures = {name: chart.figure for name, chart in view.charts.items()}
    plots, places = components(figures) if figures else ("", {})
    roots = {
        name: f'<div class="inner">{ICON.sub("", str(pane.object))}</div>'
        for name, pane in view.panes.items()
    }
    made = datetime.now(UTC)
    known = {
        "frame": "exported.html",
        "exported": True,
        "macros": EMBED,
        "roots": roots | dict(places),
        "define": definitions(),
        "styles": page_styles(),
        "scripts": inline_scripts(),
        "plots": plots,
        "made": made,
        "made_at": day_and_time(made),
        "app": view.APP,
    }
    markup = shell.environment(TEMPLATES, language=language()).get_template(template)
    return markup.render(shell.context(principal, area="insights", **known))


@lru_cache(maxsize=1)
def inline_scripts() -> str:
    """Bokeh itself, as text in the page. (Its own `Resources` would add what Panel registers, as addresses.)"""
    code = (bokehjs_path() / "js" / "bokeh.min.js").read_text(encoding="utf-8")
    return f"<script>{code.replace('</script', '<\\/script')}</script>"


@lru_cache(maxsize=1)
def page_styles() -> str:
    """The look of shell and dashboards; what the components have inside is kept to their places."""
    sheets = [assets.asset("app.css").content.decode(), file_text("dashboards.css")]
    return "\n".join([*sheets, f".inner {{ {inner_styles().replace(':host', '&')} }}"])
