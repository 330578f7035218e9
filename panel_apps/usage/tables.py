"""The table of the usage dashboard: what the page shows and the file holds."""

from panel_apps.definitions import DEFINITIONS
from panel_apps.speech import amount, month
from panel_apps.tables import Column, Table, count
from panel_apps.usage.answers import Answers

TABLES: dict[str, Table[Answers]] = {
    "months": Table(
        "Usage by month",
        (
            Column("month", "Month", month, False),
            count("events", "Events"),
            count("runs", "Runs"),
            count("active_users", "Active users", DEFINITIONS["monthly-users"]),
            count("tokens", "Tokens", DEFINITIONS["usage-tokens"]),
            Column("cost_millionths", "Cost", amount, True, DEFINITIONS["cost"]),
        ),
        lambda answers: answers.months,
    )
}
