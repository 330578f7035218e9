"""The overview's choices and data, without a word about how they look."""

from sqlalchemy.orm import Session

from leitstand.insights.scope import Scope
from panel_apps.overview.answers import Answers, ask
from panel_apps.scoped import ScopedStore


class OverviewStore(ScopedStore):
    """What a person chose to see of all companions, or of one."""

    def ask(self, session: Session, scope: Scope, before: Scope | None) -> Answers:
        """Every question of the overview."""
        return ask(session, scope, before)

    def nothing_in(self, answers: Answers) -> bool:
        """Whether no event occurred and no run began."""
        return not answers.now.figures.events and not answers.now.figures.runs.viewed
