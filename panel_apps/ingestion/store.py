"""The ingestion dashboard's choices and data."""

from datetime import date
from typing import ClassVar

from sqlalchemy.orm import Session

from leitstand.insights.scope import Scope
from panel_apps.ingestion.answers import Answers, ask, days_with_any
from panel_apps.ranges import PRESETS, Suggestion
from panel_apps.scoped import ScopedStore
from panel_apps.speech import say, told

USUAL = "last-30"


class IngestionStore(ScopedStore):
    """What a person chose to see of what came in."""

    CHOICES: ClassVar[tuple[str, ...]] = ("range", "zone", "compare")
    # Documents of somebody's private space are in their figures alone.
    PERSONAL = True

    def ask(self, session: Session, scope: Scope, before: Scope | None) -> Answers:
        """Every question of the ingestion dashboard."""
        return ask(session, self.visitor.principal, scope, before)

    def nothing_in(self, answers: Answers) -> bool:
        """Whether nothing came in."""
        now = answers.totals
        return not (now.files or now.ready or now.failed or now.waiting or len(answers.refusals))

    def days_with_data(self, session: Session, scope: Scope) -> tuple[date | None, date | None]:
        """When files and documents came in, whatever the time that their events tell."""
        return days_with_any(session, self.visitor.principal, scope)

    def suggest(self, session: Session, scope: Scope, today: date) -> Suggestion:
        """The last 30 days: what came in lately is what one looks for."""
        return Suggestion(USUAL, say("{range}: what came in lately.", range=told(PRESETS[USUAL])))
