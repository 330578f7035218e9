"""Annotations as dashboards show them: in the labels of their days, and as a list."""

from datetime import date, datetime
from uuid import UUID

from panel_apps.happened import Happened, list_html, said_with


def note(text: str, local: datetime, *, whole_day: bool = True, mine: bool = False) -> Happened:
    return Happened(UUID(int=1), "release", text, "Ann <b>", local, whole_day, mine)


def test_a_label_says_what_happened_until_the_next_point() -> None:
    days = [date(2026, 1, 5), date(2026, 1, 12)]
    notes = [
        note("v1", datetime(2026, 1, 5)),
        note("v2", datetime(2026, 1, 11, 23)),
        note("v3", datetime(2026, 1, 13)),
    ]
    assert said_with(["A", "B"], days, notes, date(2026, 1, 14)) == [
        "A · Release: v1 · Release: v2",
        "B · Release: v3",
    ]
    assert said_with(["A", "B"], days, notes, date(2026, 1, 13))[1] == "B"
    assert said_with([], [], notes, date(2026, 1, 13)) == []


def test_the_list_has_buttons_for_one_s_own_only_and_everything_is_text() -> None:
    html = list_html([note('<i>"x"', datetime(2026, 1, 5, 9, 30), whole_day=False, mine=True)])
    assert "<i>" not in html.replace('<i class="key', "")
    assert 'data-time="09:30"' in html
    assert "5 Jan 2026, 09:30" in html
    assert html.count("<button") == 2
    assert "<button" not in list_html([note("x", datetime(2026, 1, 5))])
    assert "Nothing was noted" in list_html([])
