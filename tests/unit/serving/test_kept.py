"""What templates keep: written once for the same values, and escaped as everything else."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import jinja2
import pytest

from serving import shell
from serving.shell import formats

ROWS = """{% macro row(title, changed, route) %}<li>{{ written(title) }} {{ changed }} {{ route }}</li>{% endmacro %}"""
PAGE = """{% from "rows.html" import row %}{{ kept_each(row, titles, changed, route) }}"""


@pytest.fixture
def written(tmp_path: Path) -> list[str]:
    """Each title that a row was written for."""
    return []


@pytest.fixture
def page(tmp_path: Path, written: list[str]) -> jinja2.Template:
    (tmp_path / "rows.html").write_text(ROWS)
    (tmp_path / "page.html").write_text(PAGE)
    env = shell.environment(tmp_path)
    env.globals["written"] = lambda title: written.append(title) or title
    return env.get_template("page.html")


def test_rows_are_written_once_and_escaped(page: jinja2.Template, written: list[str]) -> None:
    values = {"titles": ["<b>", "c & d"], "changed": ["now", "then"], "route": "/boards"}
    first = page.render(values)
    assert first == "<li>&lt;b&gt; now /boards</li><li>c &amp; d then /boards</li>"
    assert page.render(values) == first
    assert written == ["<b>", "c & d"]


def test_a_row_is_written_anew_where_anything_differs(page: jinja2.Template, written: list[str]) -> None:
    page.render(titles=["a", "b"], changed=["now", "now"], route="/boards")
    again = page.render(titles=["a", "b"], changed=["now", "then"], route="/boards")
    assert again == "<li>a now /boards</li><li>b then /boards</li>"
    assert written == ["a", "b", "b"]


def test_no_row_is_left_out(page: jinja2.Template) -> None:
    with pytest.raises(ValueError, match="shorter"):
        page.render(titles=["a", "b"], changed=["now"], route="/boards")


def test_moments_of_many_are_those_of_each() -> None:
    now = datetime.now(UTC)
    times = [now - timedelta(hours=3), now - timedelta(days=400)]
    assert formats.moments(times, "Europe/Berlin", language="de") == [
        formats.moment(one, "Europe/Berlin", language="de") for one in times
    ]
