"""Key figures, their change, and the sentences beside the charts."""

from datetime import date

import pandas as pd

from leitstand.insights.completion import Completion
from panel_apps import parts, words
from panel_apps.key_figures import Figures, tiles
from panel_apps.parts import Tile
from panel_apps.retention_grid import retention_grid
from serving.shell.formats import number


def figures(viewed: int, started: int, completed: int, users: int) -> Figures:
    rate = completed / started if started else None
    of_viewed = completed / viewed if viewed else None
    runs = Completion(
        viewed,
        started,
        completed,
        rate,
        of_viewed,
        60.0 if completed else None,
        600.0 if completed else None,
        False,
    )
    return Figures(runs, users, users + 1, viewed * 3)


def tile(title: str, now: Figures, before: Figures | None) -> Tile:
    return next(one for one in tiles(now, before) if one.title == title)


def test_a_tile_says_figure_note_and_change() -> None:
    found = tile("Viewed runs", figures(150, 100, 50, 9), figures(100, 80, 40, 9))
    assert (found.value, found.note) == ("150", "450 events")
    assert "▲" in found.change
    assert "50%" in found.change
    assert "100 before" in found.change


def test_a_share_never_stands_without_its_counts() -> None:
    found = tile("Completion rate", figures(200, 100, 68, 9), figures(200, 100, 70, 9))
    assert found.value == "68.0%"
    assert "68 of 100" in found.note
    assert "34.0% of viewed" in found.note
    assert "2 points" in found.change
    assert "▼" in found.change


def test_no_change_is_said_as_such() -> None:
    same = figures(10, 10, 5, 3)
    assert "= 3 before" in tile("Active users", same, same).change
    assert "▲" not in tile("Active users", same, same).change


def test_from_nothing_is_new() -> None:
    assert "new" in tile("Active users", figures(1, 1, 1, 5), figures(0, 0, 0, 0)).change


def test_nothing_at_all_is_told_without_shares() -> None:
    for one in tiles(figures(0, 0, 0, 0), figures(0, 0, 0, 0)):
        assert "nan" not in one.value + one.note + one.change
        assert "None" not in one.value + one.note + one.change
    assert tile("Completion rate", figures(0, 0, 0, 0), None).value == "–"


def test_without_a_comparison_there_is_no_change() -> None:
    assert {one.change for one in tiles(figures(5, 4, 3, 2), None)} == {""}


def test_a_longer_duration_is_neither_good_nor_bad() -> None:
    change = words.delta(20.0, 10.0, number, judged=False)
    assert "up" not in change.split('class="', 1)[1].split('"')[0]


def test_a_range_of_one_day_is_one_day() -> None:
    assert words.days(date(2026, 1, 5), date(2026, 1, 6)) == "5 Jan 2026"
    assert words.days(date(2026, 1, 5), date(2026, 1, 8)) == "5 Jan 2026 – 7 Jan 2026"


def test_charts_without_rows_say_so() -> None:
    none = pd.DataFrame({"at": [], "viewed": [], "started": [], "completed": []})
    assert words.traffic_words(none, "day") == "No run began in this range."
    assert "Nobody" in words.active_words(pd.DataFrame({"day": [], "dau": [], "wau": [], "mau": []}))


def test_a_funnel_shows_its_first_steps_and_says_that_there_are_more() -> None:
    rows = pd.DataFrame(
        {
            "step": [f"<s{place}>" for place in range(20)],
            "reached": range(20, 0, -1),
            "dropped": [1] * 20,
            "drop_off": [0.5] * 20,
        }
    )
    html = parts.funnel(rows)
    assert "&lt;s11&gt;" in html
    assert "s12" not in html
    assert "12 of 20 steps" in html
    assert "<s0>" not in html


def retention(cells: list[tuple[date, int, int | None]]) -> pd.DataFrame:
    frame = pd.DataFrame(cells, columns=["cohort", "weeks_later", "actors"])
    return frame.assign(actors=frame["actors"].astype("Int64"))


def test_retention_is_a_share_of_the_weeks_newcomers() -> None:
    monday = date(2026, 1, 5)
    html = retention_grid(retention([(monday, 0, 10), (monday, 2, 3)]), start=monday, end=date(2026, 1, 26))
    assert "100%" in html
    assert "30%" in html
    assert ">0%<" in html  # the week in which nobody came back has ended
    assert 'title="3 of 10"' in html


def test_a_week_that_has_not_ended_is_blank() -> None:
    monday = date(2026, 1, 5)
    html = retention_grid(
        retention([(monday, 0, 10), (monday, 1, None)]), start=monday, end=date(2026, 1, 19)
    )
    assert html.count("100%") == 1
    assert "<td></td>" in html


def test_cohorts_from_before_the_range_are_left_out() -> None:
    html = retention_grid(retention([(date(2026, 1, 5), 1, 4)]), start=date(2026, 1, 7), end=date(2026, 2, 1))
    assert "No week’s newcomers" in html
