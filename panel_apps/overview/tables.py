"""The tables of the overview: what the page shows and the files hold."""

from panel_apps.common_tables import PERIOD, RETENTION, STEPS
from panel_apps.overview.answers import Answers
from panel_apps.overview.parts import score
from panel_apps.tables import Column, Table, count, text

TABLES: dict[str, Table[Answers]] = {
    **PERIOD,
    "steps": Table("Steps", STEPS, lambda answers: answers.steps),
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
    "retention": Table("Retention by week", RETENTION, lambda answers: answers.retention),
}
