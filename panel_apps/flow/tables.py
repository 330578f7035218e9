"""The tables of the flow dashboard: what the page shows and the files hold."""

from panel_apps.common_tables import STEPS
from panel_apps.definitions import DEFINITIONS
from panel_apps.flow.answers import Answers
from panel_apps.speech import duration
from panel_apps.tables import Column, Table, count, text

TABLES: dict[str, Table[Answers]] = {
    "steps": Table(
        "Steps of the flow",
        (
            *STEPS,
            count("went_on", "Went on", "Runs that took a step after this one"),
            Column("median", "Median time", duration, True, DEFINITIONS["step-time"]),
            Column("p95", "95% within", duration, True, "Of the runs that went on"),
        ),
        lambda answers: answers.steps,
    ),
    "ways": Table(
        "Ways between steps",
        (text("step", "From"), text("next_step", "To"), count("runs", "Runs")),
        lambda answers: answers.ways,
    ),
}
