"""The flow dashboard's choices and data."""

from typing import ClassVar

import param
from sqlalchemy.orm import Session

from leitstand.insights.scope import Scope
from panel_apps.flow.answers import Answers, ask
from panel_apps.scoped import ANY, ChosenStore
from panel_apps.speech import say

MOST_PAGES = 100_000


class FlowStore(ChosenStore):
    """What a person chose to see of one companion's flow."""

    step = param.String(ANY, doc="The step whose runs are listed; `*`: none.")
    page = param.String("1", doc="Which page of them.")

    CHOICES: ClassVar[tuple[str, ...]] = (*ChosenStore.CHOICES, "step", "page")

    def ask(self, session: Session, scope: Scope, before: Scope | None) -> Answers:
        """Every question of the flow dashboard; a step or page that is not there is corrected."""
        wanted = int(self.page) if self.page.isascii() and self.page.isdigit() and len(self.page) < 7 else 1
        step = "" if self.step == ANY else self.step
        return ask(session, scope, before, step=step, page=min(wanted, MOST_PAGES))

    def nothing_in(self, answers: Answers) -> bool:
        """Whether no run began."""
        return not answers.totals.viewed

    def correct(self, answers: Answers) -> None:
        """Take over what was really shown, and say where a step or a page is not there."""
        if self.step not in {ANY, ""} and not answers.runs.step:
            self.told.append(say("No run of this range reached a step “{step}”.", step=self.step[:40]))
        page = str(answers.runs.page)
        if self.page != page:
            self.told.append(
                say("There is no page “{page}”: page {shown} is shown.", page=self.page[:40], shown=page)
            )
        self.step, self.page = answers.runs.step or ANY, page
