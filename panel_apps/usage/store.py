"""The usage dashboard's choices and data."""

from datetime import date, timedelta
from typing import ClassVar

from sqlalchemy.orm import Session

from leitstand.insights.scope import Scope
from panel_apps.ranges import ALL, PRESETS, Suggestion
from panel_apps.scoped import ScopedStore
from panel_apps.speech import day, say, told
from panel_apps.usage.answers import Answers, ask

USUAL = "last-365"
LENGTH = timedelta(days=365)


class UsageStore(ScopedStore):
    """What a person chose to see of what was used."""

    CHOICES: ClassVar[tuple[str, ...]] = ("range", "zone", "companion", "tag")

    def ask(self, session: Session, scope: Scope, before: Scope | None) -> Answers:
        """Every question of the usage dashboard."""
        return ask(session, scope)

    def nothing_in(self, answers: Answers) -> bool:
        """Whether no event occurred, no run began and no model was asked."""
        return not answers.months[["events", "runs", "tokens"]].to_numpy().any()

    def suggest(self, session: Session, scope: Scope, today: date) -> Suggestion:
        """A year: usage is looked at by month; all there is where nothing happened in it."""
        _, newest = self.days_with_data(session, scope)
        if newest is None or newest > today - LENGTH:
            return Suggestion(USUAL, say("{range}: usage is counted by month.", range=told(PRESETS[USUAL])))
        why = say(
            "All there is: nothing happened in the last 365 days (the newest event is of {day}).",
            day=day(newest),
        )
        return Suggestion(ALL, why)
