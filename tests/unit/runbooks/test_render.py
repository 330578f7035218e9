"""The HTML of a notebook asks nobody for anything, and reads well."""

import io
import re
from contextlib import redirect_stdout

from IPython.core.interactiveshell import InteractiveShell
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from leitstand.runbooks.evidence import rows
from leitstand.runbooks.render import to_html
from leitstand.runbooks.tables import Table


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


def test_a_failure_says_what_was_wrong_and_what_to_do_and_keeps_where_in_the_code() -> None:
    shell = InteractiveShell()
    with redirect_stdout(io.StringIO()) as said:
        shell.run_cell(
            "from leitstand.errors import NotFound\nraise NotFound('No <backup>.', hint='Take one.')"
        )
    failed = new_output(  # type: ignore[no-untyped-call]
        "error", ename="NotFound", evalue="No <backup>.", traceback=said.getvalue().splitlines()
    )
    notebook = new_notebook(cells=[new_code_cell("x", outputs=[failed])])  # type: ignore[no-untyped-call]
    html = to_html(notebook, "A title")
    assert "<strong>NotFound</strong> No &lt;backup&gt;. Take one.</p>" in html
    assert "<summary>Where in the code</summary>" in html and "\x1b[" not in html
    assert notebook.cells[0].outputs[0].output_type == "error", "the notebook itself keeps it as it was"


def test_a_table_has_words_for_yes_and_no_and_marks_verdicts() -> None:
    table = rows([{"name": "x" * 30, "verdict": "failed", "good": True}], ["name", "verdict", "good"])
    html = table._repr_html_()
    assert '<td class="failed">failed</td>' in html and '<td class="short">yes</td>' in html
    assert f"<td>{'x' * 30}</td>" in html and "<th></th>" not in html, "no numbers of rows"
    assert "x" * 30 in repr(table) and "yes" in repr(table) and "0 " not in repr(table)
    assert isinstance(table[["name"]], Table)
