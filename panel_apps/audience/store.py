"""The audience dashboard's choices and data."""

from sqlalchemy.orm import Session

from leitstand.insights.scope import Scope
from panel_apps.audience.answers import Answers, ask
from panel_apps.scoped import ScopedStore


class AudienceStore(ScopedStore):
    """What a person chose to see of who uses the companions."""

    def ask(self, session: Session, scope: Scope, before: Scope | None) -> Answers:
        """Every question of the audience dashboard."""
        return ask(session, scope, before)

    def nothing_in(self, answers: Answers) -> bool:
        """Whether nobody was active."""
        return not answers.people.active_users
