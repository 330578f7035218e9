"""The HTML of a notebook asks nobody for anything."""

import re

from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from leitstand.runbooks.render import to_html


def page() -> str:
    table = new_output(
        "display_data", data={"text/html": "<table><tr><td>1</td></tr></table>", "text/plain": "1"}
    )  # type: ignore[no-untyped-call]
    cells = [
        new_markdown_cell("# Drill $x^2$\n```mermaid\ngraph TD\n```"),
        new_code_cell("print('<script>alert(1)</script>')", outputs=[table]),
    ]  # type: ignore[no-untyped-call]
    return to_html(new_notebook(cells=cells), "A <title>")  # type: ignore[no-untyped-call]


def test_no_address_is_loaded() -> None:
    assert re.findall(r"""(?:src|href)=["']?(?:https?:)?//[^"' >]+|url\(|@import""", page()) == []
    assert "default-src 'none'" in page()


def test_no_script_is_in_it_and_the_title_is_escaped() -> None:
    assert "<script" not in page()
    assert "<title>A &lt;title&gt;</title>" in page()


def test_what_was_shown_is_shown() -> None:
    assert "<td>1</td>" in page()
