"""The weekly report's own reckoning: cohorts up to its week, and names that several companions have."""

from datetime import date
from typing import Any

from leitstand.reports.weekly import _runs_by_name, cohorts_until

MONDAY = date(2026, 3, 16)


def cohort(monday: str, *actors: tuple[int, int | None]) -> list[dict[str, Any]]:
    return [{"cohort": monday, "weeks_later": later, "actors": count} for later, count in actors]


def test_cohorts_end_with_the_reports_week_and_weeks_without_anybody_are_zero() -> None:
    rows = [
        *cohort("2026-03-02", (0, 10), (2, 3), (5, 9)),
        *cohort("2026-03-16", (0, 4)),
        *cohort("2026-03-09", (0, 0)),
    ]
    over = cohorts_until({"cohorts": rows, "running": False}, MONDAY)
    assert over == [(date(2026, 3, 2), 10, [0, 3]), (MONDAY, 4, [])]


def test_a_week_that_still_runs_is_blank() -> None:
    rows = [*cohort("2026-03-09", (0, 8), (1, 2)), *cohort("2026-03-16", (0, None))]
    assert cohorts_until({"cohorts": rows, "running": True}, MONDAY) == [(date(2026, 3, 9), 8, [None])]


def test_a_name_that_several_companions_have_is_not_compared() -> None:
    rows = [{"companion": "a", "runs": 3}, {"companion": "b", "runs": 2}, {"companion": "a", "runs": 1}]
    assert _runs_by_name(rows) == {"a": None, "b": 2}
