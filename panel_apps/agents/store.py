"""The agents dashboard's choices and data."""

from datetime import date
from typing import ClassVar

from sqlalchemy.orm import Session

from leitstand.insights import agents
from leitstand.insights.scope import Scope
from panel_apps.agents.answers import Answers, ask
from panel_apps.ranges import PRESETS, Suggestion
from panel_apps.scoped import ScopedStore
from panel_apps.speech import say, told

USUAL = "last-30"


class AgentsStore(ScopedStore):
    """What a person chose to see of what agents and models did."""

    CHOICES: ClassVar[tuple[str, ...]] = ("range", "zone", "compare")
    # Agents that others keep to themselves have no name in it.
    PERSONAL = True

    def ask(self, session: Session, scope: Scope, before: Scope | None) -> Answers:
        """Every question of the agents dashboard."""
        return ask(session, self.visitor.principal, scope, before)

    def nothing_in(self, answers: Answers) -> bool:
        """Whether no thread began and no model was asked."""
        return not (len(answers.threads) or answers.totals.used.questions)

    def days_with_data(self, session: Session, scope: Scope) -> tuple[date | None, date | None]:
        """When threads began and models were asked."""
        return agents.days_with_any(session, scope, principal=self.visitor.principal)

    def beginning(self) -> str:
        """No agent was asked yet."""
        words = say("No agent and no model has been asked yet. Choose an agent, or make one, and ask it:")
        return f'{words} <a href="/agents">{say("Agents")}</a>'

    def suggest(self, session: Session, scope: Scope, today: date) -> Suggestion:
        """The last 30 days: whoever looks after agents wants to know how they do now."""
        return Suggestion(USUAL, say("{range}: how agents do lately.", range=told(PRESETS[USUAL])))
