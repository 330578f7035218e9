"""The tables of the audience dashboard: what the page shows and the files hold."""

from panel_apps.audience.answers import Answers
from panel_apps.common_tables import ACTIVE_USERS, RETENTION
from panel_apps.definitions import DEFINITIONS
from panel_apps.tables import Table, count, day, text

TABLES: dict[str, Table[Answers]] = {
    "active-users": Table(
        "Active users by day",
        ACTIVE_USERS,
        lambda answers: answers.active,
        lambda answers: answers.active_before,
    ),
    "newcomers": Table(
        "New and returning people",
        (
            day("at", "From", "The first day of the day, week or month"),
            count("new", "New", DEFINITIONS["new"]),
            count("returning", "Returning", DEFINITIONS["returning"]),
        ),
        lambda answers: answers.newcomers,
        lambda answers: answers.newcomers_before,
        "at",
    ),
    "companions": Table(
        "People by companion",
        (
            text("companion", "Companion"),
            count("active", "Active users"),
            count("new", "New to it", DEFINITIONS["new"]),
            count("returning", "Returning to it", DEFINITIONS["returning"]),
        ),
        lambda answers: answers.companions,
    ),
    "retention": Table("Retention by week", RETENTION, lambda answers: answers.retention),
}
