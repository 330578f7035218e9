"""An executed notebook as one HTML page that asks no other host for anything."""

import re
from copy import deepcopy
from html import escape
from typing import Any

from leitstand.errors import NOTED
from leitstand.standalone import standalone_page

STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 68rem; margin: 2rem auto; padding: 0 1rem; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; margin: .3rem 0; font: 13px/1.45 ui-monospace, monospace; }
.input_area { border-left: 3px solid #8888; padding: .2rem .8rem; opacity: .8; }
.prompt, .anchor-link { display: none; }
table { border-collapse: collapse; margin: .6rem 0; }
td, th { border: 1px solid #8886; padding: .25rem .6rem; text-align: left; vertical-align: top; white-space: pre-line; }
td:last-child { overflow-wrap: anywhere; }
td.short { white-space: nowrap; }
td.failed { color: #c33; font-weight: bold; }
.failure { border-left: 3px solid #c33; padding-left: .8rem; }
.output_html { overflow-x: auto; }
.output_stderr, .output_error { border-left: 3px solid #c33; padding-left: .8rem; }
"""


TERMINAL_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
FAILURE = """<div class="failure"><p><strong>{what}</strong> {why}</p>
<details><summary>Where in the code</summary><pre>{trace}</pre></details></div>
"""


def readable(notebook: Any) -> Any:
    """A copy whose failures say what was wrong, and keep where in the code for whoever opens it."""
    copied = deepcopy(notebook)
    for cell in copied.cells:
        if cell.cell_type == "code":
            cell.outputs = [_said(output) for output in cell.outputs]
    return copied


def _said(output: Any) -> Any:
    if output.output_type != "error":
        return output
    from nbformat.v4 import new_output

    trace = TERMINAL_COLOUR.sub("", "\n".join(output.traceback))
    hints = [line.removeprefix(NOTED) for line in trace.splitlines() if line.startswith(NOTED)]
    html = FAILURE.format(
        what=escape(output.ename),
        why=escape(" ".join([output.evalue, *hints[-1:]])),
        trace=escape(trace),
    )
    return new_output("display_data", data={"text/html": html})  # type: ignore[no-untyped-call]


def to_html(notebook: Any, title: str, *, style: str = STYLE, code: bool = True) -> str:
    """The page; nbconvert's own page templates load scripts from other hosts, so only its body is taken.

    Args:
        style: CSS of the page.
        code: also show the cells' code.
    """
    from nbconvert import HTMLExporter

    exporter: Any = HTMLExporter
    body, _ = exporter(template_name="basic", exclude_input=not code).from_notebook_node(readable(notebook))
    return standalone_page(title, body, style=style, images=True)
