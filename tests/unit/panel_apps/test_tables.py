"""Tables on the page and as CSV: every value escaped, every formula defused."""

import csv
import io

import pandas as pd
import pytest

from panel_apps.tables import SHOWN_ROWS, count, text, to_csv, to_html

COLUMNS = (text("name", "Name", "Who <it> is"), count("runs", "Runs"))


def read(rows: pd.DataFrame) -> list[list[str]]:
    return list(csv.reader(io.StringIO(to_csv(rows, COLUMNS), newline="")))


def test_html_escapes_names() -> None:
    html = to_html(pd.DataFrame({"name": ["<script>x</script>"], "runs": [1234]}), COLUMNS, caption='"a" <b>')
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    assert "1,234" in html
    assert '<span class="definition">Who &lt;it&gt; is</span>' in html
    assert "<b>" not in html


def test_html_keeps_the_newest_rows_and_says_that_there_are_more() -> None:
    rows = pd.DataFrame(
        {"name": [f"n{place}" for place in range(SHOWN_ROWS + 5)], "runs": range(SHOWN_ROWS + 5)}
    )
    newest = to_html(rows, COLUMNS, caption="Runs", newest_last=True)
    assert ">n104<" in newest
    assert ">n4<" not in newest
    assert f"{SHOWN_ROWS} of 105 rows" in newest
    assert newest.index(">n104<") < newest.index(">n5<")
    assert ">n0<" in to_html(rows, COLUMNS, caption="Runs")


@pytest.mark.parametrize("missing", [None, float("nan"), pd.NA])
def test_what_is_missing_is_a_dash_on_the_page_and_nothing_in_the_file(missing: object) -> None:
    rows = pd.DataFrame({"name": ["a"], "runs": pd.Series([missing], dtype=object)})
    assert ">–<" in to_html(rows, COLUMNS, caption="Runs")
    assert read(rows)[1] == ["a", ""]


@pytest.mark.parametrize("formula", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_csv_defuses_formulas(formula: str) -> None:
    assert read(pd.DataFrame({"name": [formula], "runs": [1]}))[1] == [f"'{formula}", "1"]


def test_csv_has_every_row_and_survives_commas_quotes_and_lines() -> None:
    names = ['a,"b"\nc', "ä€", "x" * 300, *(str(place) for place in range(SHOWN_ROWS * 2))]
    found = read(pd.DataFrame({"name": names, "runs": range(len(names))}))
    assert found[0] == ["name", "runs"]
    assert [row[0] for row in found[1:]] == names


def test_negative_numbers_are_no_formulas() -> None:
    assert read(pd.DataFrame({"name": ["a"], "runs": [-5]}))[1] == ["a", "-5"]
