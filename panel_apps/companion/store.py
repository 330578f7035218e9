"""The companion dashboard's choices and data."""

from sqlalchemy.orm import Session

from leitstand.insights.scope import Scope
from panel_apps.companion.answers import Answers, ask
from panel_apps.scoped import ChosenStore


class CompanionStore(ChosenStore):
    """What a person chose to see of one companion."""

    def ask(self, session: Session, scope: Scope, before: Scope | None) -> Answers:
        """Every question of the companion dashboard."""
        return ask(session, scope, before)

    def nothing_in(self, answers: Answers) -> bool:
        """Whether no event occurred and no run began."""
        return not answers.now.figures.events and not answers.now.figures.runs.viewed
