"""What needs attention: large changes with their counts, and nothing where chance may have done it."""

from typing import Any

from leitstand.health.overview import DOWN, UP, ServiceState
from leitstand.reports.monthly_notices import monthly_notices
from leitstand.reports.weekly_notices import weekly_notices


def figures(started: int, completed: int, users: int, **more: Any) -> dict[str, Any]:
    document = {
        "events": started * 3,
        "runs": {"viewed": started, "started": started, "completed": completed},
        "completion_rate": completed / started if started else None,
        "active_users": users,
        "immature": False,
        "steps": [],
        "top_companions": [],
    }
    return document | more


def said(now: dict[str, Any], before: dict[str, Any], **more: Any) -> list[tuple[str, str]]:
    document = {"now": now, "before": before, "last_day": "2026-01-05", "running": False} | more
    return [(notice.weight, notice.text) for notice in weekly_notices(document)]


def test_a_quiet_week_needs_nothing() -> None:
    assert said(figures(100, 50, 40), figures(95, 48, 41)) == []


def test_falls_are_told_with_their_counts_and_come_first() -> None:
    found = said(figures(100, 40, 30, immature=True), figures(200, 150, 60))
    assert [weight for weight, _ in found] == ["bad", "bad", "note", "note"]
    assert "Started runs fell: 100 after 200" in found[0][1]
    assert "Active users fell: 30 after 60" in found[1][1]
    assert "(40 of 100) after 75.0" in found[2][1]  # runs that still go may mend it: no alarm


def test_few_runs_move_by_chance() -> None:
    assert said(figures(4, 0, 3), figures(12, 12, 9)) == []


def test_the_step_with_the_most_losses_is_named_but_never_the_last() -> None:
    steps = [
        {"step": "ask", "reached": 100, "dropped": 45, "drop_off": 0.45},
        {"step": "end", "reached": 55, "dropped": 55, "drop_off": 1.0},
    ]
    found = said(figures(100, 55, 40, steps=steps), figures(100, 55, 40))
    assert len(found) == 1 and "step ask: 45.0" in found[0][1] and "(45 of 100)" in found[0][1]


def test_a_companion_that_is_never_completed_is_named_where_others_are() -> None:
    top = [{"companion": "Lost\nSoul", "runs": 30, "completed": 0}]
    now = figures(100, 50, 40, top_companions=top)
    assert said(now, figures(100, 50, 40)) == [("warn", "Lost Soul had 30 runs and none was completed.")]
    assert said(figures(100, 0, 40, top_companions=top), figures(100, 0, 40)) == []


def test_an_empty_week_says_when_there_was_something() -> None:
    nothing = figures(0, 0, 0)
    assert said(nothing, nothing) == [
        ("note", "Nothing happened in this week. The newest event is of Mon 5 Jan 2026.")
    ]
    assert said(nothing, nothing, last_day=None)[0][1].startswith("This workspace has no event yet.")
    assert said(nothing, figures(50, 20, 10))[0][0] == "bad"


def test_events_without_a_new_run_are_no_calm() -> None:
    now = figures(0, 0, 5, events=12)
    assert said(now, figures(0, 0, 5))[0] == (
        "bad", "No run began in this week; its 12 events belong to runs that began before.",
    )  # fmt: skip


def operation(**more: Any) -> dict[str, Any]:
    drill = {
        "name": "postgres-latest",
        "status": "passed",
        "rpo_seconds": 3.0,
        "rto_seconds": 20.0,
        "error": "",
    }
    document = {
        "drills": [drill],
        "longest_without_proof": 90_000.0,
        "backups": [
            {"kind": kind, "complete": 30, "failed": 0} for kind in ("postgres", "objects", "secrets")
        ],
        "checks": {"runs": 700, "failed": 0, "failing": []},
        "flows": [{"flow": "backup", "complete": 30, "failed": 0, "crashed": 0, "running": 0}],
        "failed_attempts": 0,
    }
    return document | more


def service(state: str) -> ServiceState:
    return ServiceState("web", "Pages", "", state, "", 1.0)


def test_a_month_that_kept_its_promises_needs_nothing() -> None:
    assert monthly_notices(operation(), [service(UP)], empty=False) == []


def test_broken_promises_are_told_with_their_counts() -> None:
    slow = {"name": "d", "status": "failed", "rpo_seconds": 500.0, "rto_seconds": 7200.0, "error": "no space"}
    good = operation()["drills"][0]
    document = operation(
        drills=[good, slow],
        longest_without_proof=200_000.0,
        backups=[{"kind": "postgres", "complete": 3, "failed": 2}],
        checks={"runs": 10, "failed": 2, "failing": ["events"]},
        flows=[{"flow": "backup", "complete": 3, "failed": 1, "crashed": 1, "running": 0}],
        failed_attempts=1,
    )
    text = " ".join(notice.text for notice in monthly_notices(document, [service(DOWN)], empty=False))
    for part in (
        "For 2.3 d no restore was proven; at most 26.0 h is promised.",
        "(1 of 2) of the drills failed; the last: no space.",
        "(1 of 2) of the drills would have lost more than the 2.0 min promised.",
        "No backup was completed of: objects, secrets.",
        "2 backups of postgres failed.",
        "web (down)",
        "(2 of 10) of the data checks' runs failed: events.",
        "backup: 40.0",
        "1 attempt of queued jobs failed",
    ):
        assert part in text, part


def test_a_month_without_a_proof_is_bad_and_an_empty_one_is_said_to_be() -> None:
    unproven = monthly_notices(operation(drills=[]), [], empty=False)
    assert [notice.text for notice in unproven] == ["No drill proved a restore in this month."]
    empty = monthly_notices(operation(), [service(UP)], empty=True)
    assert [notice.weight for notice in empty] == ["note"]
