"""The table of the usage dashboard: what the page shows and the file holds."""

from datetime import date

from panel_apps.definitions import DEFINITIONS
from panel_apps.tables import Column, Table, count
from panel_apps.usage.answers import Answers


def month(first: date) -> str:
    """A month by its name."""
    return f"{first:%B %Y}"


TABLES: dict[str, Table[Answers]] = {
    "months": Table(
        "Usage by month",
        (
            Column("month", "Month", month, False),
            count("events", "Events"),
            count("runs", "Runs"),
            count("active_users", "Active users", DEFINITIONS["monthly-users"]),
        ),
        lambda answers: answers.months,
    )
}
