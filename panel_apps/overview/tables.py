"""The tables of the overview: what the page shows and the files hold."""

from panel_apps.overview.answers import Answers
from panel_apps.overview.parts import score
from panel_apps.tables import Column, Table, count, day, text
from serving.shell.formats import percent


def going(value: object) -> str:
    """Whether some of a day's runs may still be going."""
    return "yes" if value else "no"


TABLES: dict[str, Table[Answers]] = {
    "traffic": Table(
        "Runs by day",
        (
            day("day", "Day"),
            count("viewed", "Viewed"),
            count("started", "Started"),
            count("completed", "Completed"),
        ),
        lambda answers: answers.traffic,
    ),
    "active-users": Table(
        "Active users by day",
        (
            day("day", "Day"),
            count("dau", "That day", "Different people active on the local day (DAU)"),
            count("wau", "7 days", "Different people active in the 7 days ending with it (WAU)"),
            count("mau", "30 days", "Different people active in the 30 days ending with it (MAU)"),
        ),
        lambda answers: answers.active,
    ),
    "completion": Table(
        "Completion by day of the start",
        (
            day("day", "Day"),
            count("started", "Started"),
            count("completed", "Completed"),
            Column("rate", "Completed of started", percent),
            Column("immature", "Still going", going, False, "Some of that day's runs may still be going"),
        ),
        lambda answers: answers.completion,
    ),
    "steps": Table(
        "Steps",
        (
            text("step", "Step"),
            count("reached", "Reached"),
            count("dropped", "Went no further"),
            Column("drop_off", "Drop-off", percent),
        ),
        lambda answers: answers.steps,
    ),
    "top-companions": Table(
        "Most used companions",
        (
            text("companion", "Companion"),
            count("runs", "Runs"),
            count("completed", "Completed"),
            count("active_users", "Active users"),
        ),
        lambda answers: answers.top,
    ),
    "popular": Table(
        "Popular companions",
        (text("companion", "Companion"), Column("score", "Score", score)),
        lambda answers: answers.popular,
    ),
    "retention": Table(
        "Retention",
        (
            day("cohort", "First seen in the week of"),
            count("weeks_later", "Weeks later"),
            count("actors", "Active"),
        ),
        lambda answers: answers.retention,
    ),
}
