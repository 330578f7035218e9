"""Columns of tables that several dashboards have."""

from typing import Protocol

from panel_apps.periods import Before, Period
from panel_apps.speech import percent, say
from panel_apps.tables import Column, Table, count, day, text

RUNS = (count("viewed", "Viewed"), count("started", "Started"), count("completed", "Completed"))
TRAFFIC = (day("day", "Day"), *RUNS)
ACTIVE_USERS = (
    day("day", "Day"),
    count("dau", "That day", "Different people active on the local day (DAU)"),
    count("wau", "7 days", "Different people active in the 7 days ending with it (WAU)"),
    count("mau", "30 days", "Different people active in the 30 days ending with it (MAU)"),
)
STEPS = (
    text("step", "Step"),
    count("reached", "Reached"),
    count("dropped", "Went no further"),
    Column("drop_off", "Drop-off", percent),
)
RETENTION = (
    day("cohort", "First seen in the week of"),
    count("weeks_later", "Weeks later"),
    count("actors", "Active"),
)


def going(value: object) -> str:
    """Whether some runs may still be going."""
    return say("yes") if value else say("no")


COMPLETION = (
    day("day", "Day"),
    count("started", "Started"),
    count("completed", "Completed"),
    Column("rate", "Completed of started", percent),
    Column("immature", "Still going", going, False, "Some of that day's runs may still be going"),
)


class OfPeriod(Protocol):
    """The answers of a dashboard that shows a period of runs and people."""

    @property
    def now(self) -> Period: ...

    @property
    def before(self) -> Before | None: ...


PERIOD: dict[str, Table[OfPeriod]] = {
    "traffic": Table(
        "Runs by day",
        TRAFFIC,
        lambda answers: answers.now.traffic,
        lambda answers: answers.before.traffic if answers.before else None,
    ),
    "active-users": Table(
        "Active users by day",
        ACTIVE_USERS,
        lambda answers: answers.now.active,
        lambda answers: answers.before.active if answers.before else None,
    ),
    "completion": Table(
        "Completion by day of the start",
        COMPLETION,
        lambda answers: answers.now.completion,
        lambda answers: answers.before.completion if answers.before else None,
    ),
}
