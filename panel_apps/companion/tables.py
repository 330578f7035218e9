"""The tables of the companion dashboard: what the page shows and the files hold."""

from typing import Any

from panel_apps.common_tables import PERIOD, RUNS, STEPS, going
from panel_apps.companion.answers import Answers
from panel_apps.definitions import DEFINITIONS
from panel_apps.speech import duration, percent, say
from panel_apps.tables import Column, Table, day


def version(number: Any) -> str:
    """A version's number as a name."""
    return say("Version {number}", number=number)


VERSIONS = (
    Column("version", "Version", version, False, "The version of the flow that the runs began on"),
    day("first_day", "First run"),
    day("last_day", "Last run"),
    *RUNS,
    Column("rate", "Completed of started", percent, True, DEFINITIONS["rate"]),
    Column("median", "Median duration", duration, True, DEFINITIONS["duration"]),
    Column("immature", "Still going", going, False, "Some of the version's runs may still be going"),
)
TABLES: dict[str, Table[Answers]] = {
    **PERIOD,
    "steps": Table("Steps", STEPS, lambda answers: answers.steps),
    "versions": Table("Versions compared", VERSIONS, lambda answers: answers.versions),
}
