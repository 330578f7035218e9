"""How figures, times and texts look on pages."""

from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace

import pytest

from serving.shell import formats


@pytest.mark.parametrize(
    ("value", "shown"), [(None, "–"), (0, "0"), (1234567, "1,234,567"), (2.6, "3"), (-5, "-5")]
)
def test_numbers(value: float | None, shown: str) -> None:
    assert formats.number(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "–"),
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1 kB"),
        (48_233_112, "48.2 MB"),
        (2 * 10**18, "2,000 PB"),
    ],
)
def test_sizes(value: int | None, shown: str) -> None:
    assert formats.size(value) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (None, "–"),
        (0, "0.0 s"),
        (0.44, "0.4 s"),
        (9.97, "10.0 s"),
        (41.2, "41 s"),
        (60, "1 min"),
        (185, "3 min 5 s"),
        (3600, "1 h"),
        (7830, "2 h 10 min"),
        (90000, "1 d 1 h"),
        (86400 * 3, "3 d"),
    ],
)
def test_durations(seconds: float | None, shown: str) -> None:
    assert formats.duration(seconds) == shown


@pytest.mark.parametrize(("value", "shown"), [(None, "–"), (0.6166, "61.7%"), (1, "100.0%")])
def test_shares(value: float | None, shown: str) -> None:
    assert formats.percent(value) == shown


def test_a_moment_says_how_long_ago_and_when_exactly_where_the_reader_is() -> None:
    now = datetime.now(UTC)
    recent = formats.moment(now - timedelta(hours=2), "Europe/Berlin")
    assert ">2 hours ago</time>" in recent
    assert ">1 second ago</time>" in formats.moment(datetime.now(UTC))
    old = formats.moment(datetime(2026, 1, 1, 23, 30, tzinfo=UTC), "Europe/Berlin")
    assert ">2 Jan 2026</time>" in old
    assert "2 Jan 2026, 00:30:00 (Europe/Berlin)" in old
    assert 'datetime="2026-01-01T23:30:00+00:00"' in old
    assert formats.moment(None) == "–"
    assert formats.day(date(2026, 11, 3)) == "3 Nov 2026"


@pytest.mark.parametrize(
    ("agent", "shown"),
    [
        ("Mozilla/5.0 (Windows NT 10.0; rv:130.0) Gecko/20100101 Firefox/130.0", "Firefox on Windows"),
        (
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/128.0 Safari/537.36",
            "Chrome on Linux",
        ),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 14_0) AppleWebKit/605 Version/17 Safari/605",
            "Safari on macOS",
        ),
        ("curl/8.0", "curl/8.0"),
        ("", "Unknown"),
    ],
)
def test_browsers_have_the_names_people_know(agent: str, shown: str) -> None:
    assert formats.browser(agent) == shown


@pytest.mark.parametrize(
    ("name", "shown"), [("Olga Owner", "OO"), ("Cher", "C"), ("Jan van der Berg", "JB"), ("", "")]
)
def test_initials(name: str, shown: str) -> None:
    assert formats.initials(name) == shown


def test_marked_text_is_escaped() -> None:
    assert formats.marked("run `a <b>` & <i>") == "run <code>a &lt;b&gt;</code> &amp; &lt;i&gt;"


def test_an_icon_without_a_label_is_hidden_from_screen_readers() -> None:
    assert 'aria-hidden="true"' in formats.icon("home")
    assert 'aria-label="&#34;x"' in formats.icon("home", '"x')


def test_figures_and_times_in_german() -> None:
    assert formats.number(1234.5, 1, language="de") == "1.234,5"
    assert formats.percent(0.6166, language="de") == "61,7\N{NO-BREAK SPACE}%"
    assert formats.size(1_500_000, language="de") == "1,5 MB"
    assert formats.duration(0.42, language="de") == "0,4 s"
    assert formats.day(date(2026, 12, 3), language="de") == "3. Dez. 2026"
    recent = formats.moment(datetime.now(UTC) - timedelta(hours=2), "Europe/Berlin", language="de")
    assert ">vor 2 Stunden</time>" in recent
    assert formats.browser("", language="de") == "Unbekannt"


@pytest.mark.parametrize(
    ("millionths", "shown"),
    [(0, "0.00 EUR"), (4_200, "0.0042 EUR"), (12_500_000, "12.50 EUR"), (1, "0.000001 EUR")],
)
def test_costs_are_as_exact_as_they_are_small(millionths: int, shown: str) -> None:
    assert formats.cost(millionths, "EUR") == shown


def test_citations_lead_to_what_they_cite_and_nothing_else_becomes_markup() -> None:
    shown = formats.cited("<b>Up</b> [1][2] [x](javascript:y)", [SimpleNamespace(number=1)])
    assert shown == '&lt;b&gt;Up&lt;/b&gt; <a href="#citation-1">[1]</a>[2] [x](javascript:y)'
