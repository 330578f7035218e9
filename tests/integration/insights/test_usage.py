"""Usage by month and what a month will come to: hand-computed, and against the truth of every event log."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy.orm import Session

from leitstand.db.models import Document, Item, Workspace
from leitstand.insights import usage
from leitstand.insights.scope import Scope, resolve
from leitstand.insights.usage import Forecast, Stored
from tests.integration.events.support import event
from tests.integration.insights.test_figures import Give, give, rows_of  # noqa: F401 - a fixture
from tests.integration.insights.test_truth import truth, workspace_id  # noqa: F401 - fixtures
from tests.integration.insights.truth import Truth

DAY = timedelta(days=1)
TODAY = date(2026, 3, 20)


def test_each_month_of_the_range_has_a_row(session: Session, give: Give) -> None:  # noqa: F811
    scope = give(
        event("a", at="2026-01-31T23:30:00Z"),
        event("a", at="2026-02-01T00:30:00Z"),
        event("b", at="2026-04-02T00:00:00Z", actor_id="bob"),
        event("c", at="2026-04-03T00:00:00Z", actor_id=""),
    )
    assert rows_of(usage.by_month(session, scope)) == [
        (date(2026, 1, 1), 1, 1, 1), (date(2026, 2, 1), 1, 0, 1), (date(2026, 3, 1), 0, 0, 0), (date(2026, 4, 1), 2, 2, 1),
    ]  # fmt: skip
    tokyo = replace(scope, zone="Asia/Tokyo", start=date(2026, 2, 1), end=date(2026, 3, 1))
    assert rows_of(usage.by_month(session, tokyo)) == [(date(2026, 2, 1), 2, 1, 1)]


def test_a_month_is_foretold_by_the_last_four_weeks(session: Session, give: Give) -> None:  # noqa: F811
    """Ten days with a run of one event each in the week before, one a week earlier, and two today."""
    days = [TODAY - age * DAY for age in (1, 2, 3, 4, 5, 6, 7, 14)] + [TODAY, TODAY]
    rows = [event(f"s{at}", at=f"{day}T10:00:00Z") for at, day in enumerate(days)]
    scope = give(*rows)
    events, runs = usage.forecasts(session, scope, TODAY)
    # 8 events in 28 days; eleven days follow the 20th. The weakest week had none, the strongest one a day.
    assert events == runs == Forecast(so_far=10, expected=round(10 + 11 * 8 / 28), low=10, high=21)
    other = usage.forecasts(session, replace(scope, companion_id=uuid4()), TODAY)
    assert other[0] == Forecast(0, 0, 0, 0)


def test_on_the_last_day_nothing_more_is_expected() -> None:
    assert usage.forecast(70, [10] * 28, left=0) == Forecast(70, 70, 70, 70)
    assert usage.forecast(70, [10] * 28, left=3) == Forecast(70, 100, 100, 100)


def test_storage_is_that_of_the_workspace(session: Session, workspace: Workspace) -> None:
    scope = Scope(workspace.id, None, TODAY, TODAY + DAY, "UTC")
    assert usage.stored(session, scope) == Stored(0, 0)
    space = Item(workspace_id=workspace.id, kind="space", title="Manuals")
    session.add(space)
    session.flush()
    for size in (10, 32):
        session.add(
            Document(
                workspace_id=workspace.id, space_id=space.id, title="x", object_key="", media_type="text/plain", bytes=size,
                sha256=uuid4().hex,
            )
        )  # fmt: skip
    session.flush()
    assert usage.stored(session, scope) == Stored(2, 42)
    assert usage.stored(session, replace(scope, workspace_id=uuid4())) == Stored(0, 0)


def test_months_equal_the_truth(session: Session, truth: Truth, workspace_id: Any) -> None:  # noqa: F811
    scope = resolve(session, workspace_id=workspace_id, zone="UTC")
    found = usage.by_month(session, scope)
    assert int(found["events"].sum()) == truth.figures["events"]
    assert int(found["runs"].sum()) == truth.figures["sessions"]
    theirs = truth.figures["active_actors"]["monthly_utc"]
    active = found[found["events"] > 0]["active_users"]
    assert (len(active), int(active.max()), int(active.sum())) == (
        theirs["periods"],
        theirs["max"],
        theirs["sum"],
    )
