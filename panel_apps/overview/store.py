"""The overview's choices and data, without a word about how they look."""

from collections.abc import Hashable
from dataclasses import dataclass, replace
from datetime import date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

import param
from sqlalchemy.orm import Session

from leitstand.db.engine import transaction
from leitstand.db.models import Item
from leitstand.errors import InvalidInput, NotFound
from leitstand.identity.access import Principal
from leitstand.identity.workspaces import checked_zone
from leitstand.insights import companions
from leitstand.insights.scope import EARLIEST, LATEST, Scope, data_days, find_companion
from panel_apps.access import Visitor
from panel_apps.cache import Remembered
from panel_apps.overview.answers import Answers, ask
from panel_apps.overview.ranges import RECENT, Range, find_range

ALL = "all"
PREVIOUS, NONE = "previous", "none"
MOST_COMPANIONS = 500
ANSWERS: Remembered[Answers] = Remembered(most=64, seconds=15)
NAMES: Remembered[dict[str, str]] = Remembered(most=64, seconds=60)


@dataclass(frozen=True)
class Snapshot:
    """What a load gave.

    Args:
        scope: what was asked.
        range: the range that was chosen, after correction.
        companion: name of the chosen companion; empty for all of them.
        compare: whether the period before was asked too.
        answers: the figures.
        notices: what was corrected, a sentence each.
        newest: the last day with data of the workspace or companion; None without any.
    """

    scope: Scope
    range: Range
    companion: str
    compare: bool
    answers: Answers
    notices: tuple[str, ...]
    newest: date | None

    @property
    def empty(self) -> bool:
        """Whether nothing happened in the range."""
        return not self.answers.figures.events and not self.answers.figures.runs.viewed


class OverviewStore(param.Parameterized):
    """What a person chose, as the address has it; `load` corrects it and gets the data.

    Every choice is text, so that an address can hold nothing that the store refuses.
    """

    range = param.String(RECENT, doc="A preset, or FIRST..LAST with both days included.")
    zone = param.String("", doc="IANA zone of the days; empty: the workspace's.")
    companion = param.String(ALL, doc="Id or name of one companion, or `all`.")
    compare = param.String(PREVIOUS, doc="`previous` or `none`.")

    CHOICES = ("range", "zone", "companion", "compare")

    def __init__(self, visitor: Visitor, **choices: str) -> None:
        super().__init__(**choices)  # type: ignore[no-untyped-call]
        self.visitor = visitor

    @property
    def comparing(self) -> bool:
        """Whether the period before is shown beside."""
        return self.compare != NONE

    def load(self, *, acting: bool = True) -> Snapshot:
        """The data of the choices; what can't be taken is corrected in the store and named in the notices.

        Args:
            acting: whether the person did something (see `Visitor.confirm`).

        Raises:
            NotSignedIn: the session has ended.
            Forbidden: the role no longer allows it.
        """
        principal = self.visitor.confirm(acting=acting)
        with transaction() as session:
            snapshot = self._ask(session, principal)
        scope = snapshot.scope
        self.param.update(
            range=snapshot.range.word,
            zone=scope.zone,
            companion=str(scope.companion_id or ALL),
            compare=PREVIOUS if snapshot.compare else NONE,
        )
        return snapshot

    def companions(self) -> dict[str, str]:
        """Names of the companions that people used, by id, in order of name (at most 500, the most used ones)."""
        principal = self.visitor.principal

        def ask_names() -> dict[str, str]:
            whole = Scope(principal.workspace_id, None, EARLIEST, LATEST, "UTC")
            with transaction() as session:
                found = companions.top(session, whole, limit=MOST_COMPANIONS)
            named = zip(found["companion_id"].astype(str), found["companion"], strict=True)
            return dict(sorted(named, key=lambda pair: pair[1].casefold()))

        return NAMES.get(_who(principal), ask_names)

    def _ask(self, session: Session, principal: Principal) -> Snapshot:
        scope, name, notices = self._frame(session, principal)
        first, last = data_days(session, scope)
        today = datetime.now(ZoneInfo(scope.zone)).date()
        chosen = find_range(self.range, today=today, first=first, last=last)
        if self.compare not in {PREVIOUS, NONE}:
            notices.append(f"The comparison is with the period before: there is no “{_short(self.compare)}”.")
        scope = replace(scope, start=chosen.start, end=chosen.end)
        # Before everything there is, there is nothing.
        compare = self.comparing and chosen.word != "all"
        answers = ANSWERS.get(
            (*_who(principal), scope, compare), lambda: ask(session, scope, compare=compare)
        )
        notices += [chosen.notice] if chosen.notice else []
        return Snapshot(scope, chosen, name, self.comparing, answers, tuple(notices), last)

    def _frame(self, session: Session, principal: Principal) -> tuple[Scope, str, list[str]]:
        """The scope without its range, the companion's name, and what had to be corrected."""
        notices = []
        try:
            zone = checked_zone(self.zone or principal.zone)
        except InvalidInput:
            zone = principal.zone
            notices.append(f"There is no time zone “{_short(self.zone)}”: the workspace's is used, {zone}.")
        companion_id = None
        if self.companion != ALL:
            try:
                companion_id = find_companion(
                    session, principal.workspace_id, self.companion.replace("\x00", "")
                )
            except NotFound:
                notices.append(f"There is no companion “{_short(self.companion)}”: all of them are shown.")
        name = self._name(session, companion_id) if companion_id else ""
        return Scope(principal.workspace_id, companion_id, EARLIEST, LATEST, zone), name, notices

    def _name(self, session: Session, companion_id: UUID) -> str:
        known = self.companions().get(str(companion_id))
        if known is not None:
            return known
        item = session.get(Item, companion_id)
        return item.title if item else ""


def _who(principal: Principal) -> tuple[Hashable, ...]:
    """What an answer may be shared by: one workspace, one set of permissions."""
    return (principal.workspace_id, principal.permissions)


def _short(word: str) -> str:
    return word if len(word) <= 40 else f"{word[:39]}…"
