"""The choices of every dashboard of figures (range, zone, companion, tag, comparison) and how its data is loaded."""

from collections.abc import Hashable
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any, ClassVar
from uuid import UUID
from zoneinfo import ZoneInfo

import param
from sqlalchemy.orm import Session

from leitstand.errors import InvalidInput
from leitstand.identity.access import Principal
from leitstand.identity.workspaces import checked_zone
from leitstand.insights.scope import EARLIEST, LATEST, Scope, unnamed_companions
from leitstand.words import N_
from panel_apps import framing
from panel_apps.access import Visitor
from panel_apps.cache import Remembered
from panel_apps.happened import Happened, happened
from panel_apps.ranges import AUTO, Range, Suggestion, find_range
from panel_apps.speech import language, say
from serving.session import transaction_of

ALL = "all"
# No choice of a tag or a step. An address can't say it with nothing: what is empty there counts as not named.
ANY = "*"
PREVIOUS, WEEKDAYS, NONE = "previous", "weekdays", "none"
COMPARISONS = {
    PREVIOUS: N_("The period before"),
    WEEKDAYS: N_("The same weekdays before"),
    NONE: N_("No comparison"),
}
NAMES: Remembered[dict[str, str]] = Remembered(most=64, seconds=60)
SUGGESTIONS: Remembered[Suggestion] = Remembered(most=256, seconds=60)
ANSWERS: Remembered[Any] = Remembered(most=128, seconds=15)


@dataclass(frozen=True)
class Snapshot[A]:
    """What a load gave.

    Args:
        scope: what was asked.
        before: what it is compared with; None without a comparison.
        range: the range that was chosen, after correction.
        companion: name of the chosen companion; empty for all of them.
        answers: the figures.
        notices: what was corrected, a sentence each.
        newest: the last day with data of the workspace or companion; None without any.
        empty: whether nothing happened in the range.
        choices: every choice as the address has it.
        notes: what happened in the range, oldest first.
        beginning: what to do where nothing ever happened, as HTML.
    """

    scope: Scope
    before: Scope | None
    range: Range
    companion: str
    answers: A
    notices: tuple[str, ...]
    newest: date | None
    empty: bool
    choices: dict[str, str] = field(default_factory=dict)
    notes: tuple[Happened, ...] = ()
    beginning: str = ""


class ScopedStore(param.Parameterized):
    """What a person chose, as the address has it; `load` corrects it and gets the data.

    Every choice is text, so that an address can hold nothing that the store refuses. A dashboard gives `ask` and
    `nothing_in`, and further choices of its own.
    """

    range = param.String(AUTO, doc="A preset, or FIRST..LAST with both days included.")
    zone = param.String("", doc="IANA zone of the days; empty: the workspace's.")
    companion = param.String(ALL, doc="Id or name of one companion, or `all`.")
    tag = param.String(ANY, doc="Only companions with this tag; `*`: all of them.")
    compare = param.String(PREVIOUS, doc="`previous`, `weekdays` or `none`.")

    CHOICES: ClassVar[tuple[str, ...]] = ("range", "zone", "companion", "tag", "compare")
    # Whether an answer may hold what only this person may see; such a one is shared with nobody.
    PERSONAL: ClassVar[bool] = False

    def __init__(self, visitor: Visitor, **choices: str) -> None:
        super().__init__(**choices)  # type: ignore[no-untyped-call]
        self.visitor = visitor
        self.told: list[str] = []
        self.unnamed: tuple[UUID, ...] | None = None

    def ask(self, session: Session, scope: Scope, before: Scope | None) -> Any:
        """Every question of the dashboard about a scope, and about the one that it is compared with."""
        raise NotImplementedError

    def nothing_in(self, answers: Any) -> bool:
        """Whether nothing happened in the range."""
        raise NotImplementedError

    def days_with_data(self, session: Session, scope: Scope) -> tuple[date | None, date | None]:
        """The first and last local day on which anything happened, whatever the scope's range."""
        return framing.days_with_data(session, scope)

    def suggest(self, session: Session, scope: Scope, today: date) -> Suggestion:
        """The range to begin with."""
        return framing.suggestion(session, scope, today)

    def beginning(self) -> str:
        """What to do where nothing ever happened, as HTML."""
        words = say(
            "No event has been recorded yet. Publish a companion and share its link, or import an event log:"
        )
        return f"{words} <code>leitstand events import FILE --workspace NAME</code>"

    def correct(self, answers: Any) -> None:
        """Take over what was really shown of the dashboard's own choices, and tell where that differs."""

    def load(self, *, acting: bool = True) -> Snapshot[Any]:
        """The data of the choices; what can't be taken is corrected in the store and named in the notices.

        Args:
            acting: whether the person did something (see `Visitor.confirm`).

        Raises:
            NotSignedIn: the session has ended.
            Forbidden: the role no longer allows it.
        """
        principal = self.visitor.confirm(acting=acting)
        with transaction_of(principal) as session:
            snapshot = self._load(session, principal)
        self.param.update(**snapshot.choices)
        return snapshot

    def companions(self) -> dict[str, str]:
        """Names of the companions that people used, by id, in order of name (at most 500, the most used ones)."""
        return dict(sorted(self._used().items(), key=lambda pair: pair[1].casefold()))

    def tags(self) -> list[str]:
        """The tags that companions have."""
        with transaction_of(self.visitor.principal) as session:
            return framing.known_tags(session, self.visitor.principal)

    def _used(self) -> dict[str, str]:
        workspace_id = self.visitor.principal.workspace_id

        unnamed = self._unnamed()

        def ask_names() -> dict[str, str]:
            with transaction_of(self.visitor.principal) as session:
                return framing.companion_names(session, workspace_id, unnamed)

        return NAMES.get((*who(self.visitor.principal), unnamed), ask_names)

    def _unnamed(self) -> tuple[UUID, ...]:
        """The companions whose names this person is not told, as of the last load."""
        if self.unnamed is None:
            with transaction_of(self.visitor.principal) as session:
                self.unnamed = unnamed_companions(session, self.visitor.principal)
        return self.unnamed

    def _load(self, session: Session, principal: Principal) -> Snapshot[Any]:
        self.told = []
        scope, name = self._frame(session, principal)
        first, last = self.days_with_data(session, scope)
        today = datetime.now(ZoneInfo(scope.zone)).date()
        chosen = find_range(
            self.range,
            today=today,
            first=first,
            last=last,
            suggested=lambda: self._suggest(session, scope, today),
        )
        if chosen.notice:
            self.told.append(chosen.notice)
        scope = replace(scope, start=chosen.start, end=chosen.end)
        compare = self._comparison()
        before = compared(scope, compare, chosen)
        answers = self._answer(session, principal, scope, before)
        self.correct(answers)
        choices = self._chosen(scope, chosen, compare)
        notes = happened(session, principal, start=scope.start, end=scope.end, zone=scope.zone)
        return Snapshot(
            scope,
            before,
            chosen,
            name,
            answers,
            tuple(self.told),
            last,
            self.nothing_in(answers),
            choices,
            notes,
            self.beginning(),
        )

    def _chosen(self, scope: Scope, chosen: Range, compare: str) -> dict[str, str]:
        corrected = {
            "range": chosen.word,
            "zone": scope.zone,
            "companion": str(scope.companion_id or ALL),
            "compare": compare,
        }
        return {name: corrected.get(name, getattr(self, name)) for name in self.CHOICES}

    def _answer(self, session: Session, principal: Principal, scope: Scope, before: Scope | None) -> Any:
        own = tuple(getattr(self, name) for name in self.CHOICES if name not in ScopedStore.CHOICES)
        own = (*own, principal.person_id) if self.PERSONAL else own
        key = (type(self).__name__, *who(principal), scope, self.compare if before else NONE, own)
        return ANSWERS.get(key, lambda: self.ask(session, scope, before))

    def _suggest(self, session: Session, scope: Scope, today: date) -> Suggestion:
        key = (type(self).__name__, *who(self.visitor.principal), scope, today, language())
        return SUGGESTIONS.get(key, lambda: self.suggest(session, scope, today))

    def _comparison(self) -> str:
        if "compare" not in self.CHOICES:
            return NONE
        if self.compare in COMPARISONS:
            return self.compare
        self.told.append(
            say("There is no comparison “{word}”: it is with the period before.", word=_short(self.compare))
        )
        return PREVIOUS

    def _frame(self, session: Session, principal: Principal) -> tuple[Scope, str]:
        """The scope without its range, and the companion's name; notes what had to be corrected."""
        try:
            zone = checked_zone(self.zone or principal.zone)
        except InvalidInput:
            zone = principal.zone
            self.told.append(
                say(
                    "There is no time zone “{zone}”: the workspace's is used, {used}.",
                    zone=_short(self.zone), used=zone,
                )
            )  # fmt: skip
        self.unnamed = unnamed_companions(session, principal)
        companion_id = self._companion(session, principal)
        among = self._among(session, principal) if "tag" in self.CHOICES else None
        name = self._name(session, companion_id) if companion_id else ""
        whole = Scope(
            principal.workspace_id, companion_id, EARLIEST, LATEST, zone, among=among, unnamed=self._unnamed()
        )
        return whole, name

    def _companion(self, session: Session, principal: Principal) -> UUID | None:
        if self.companion == ALL:
            return None
        found = framing.find(session, principal.workspace_id, self.companion, self._unnamed())
        if found is None:
            self.told.append(
                say("There is no companion “{name}”: all of them are shown.", name=_short(self.companion))
            )
        return found

    def _among(self, session: Session, principal: Principal) -> tuple[UUID, ...] | None:
        if self.tag in {ANY, ""}:
            self.tag = ANY
            return None
        found = framing.tagged(session, principal, self.tag)
        if not found:
            self.told.append(
                say("No companion has the tag “{tag}”: all of them are shown.", tag=_short(self.tag))
            )
            self.tag = ANY
        return found or None

    def _name(self, session: Session, companion_id: UUID) -> str:
        return self._used().get(str(companion_id)) or framing.title_of(session, companion_id)


class ChosenStore(ScopedStore):
    """Choices of a dashboard that is about one companion: where none is named, the one used most."""

    CHOICES: ClassVar[tuple[str, ...]] = ("range", "zone", "companion", "compare")

    def _companion(self, session: Session, principal: Principal) -> UUID | None:
        found = (
            None
            if self.companion == ALL
            else framing.find(session, principal.workspace_id, self.companion, self._unnamed())
        )
        if self.companion != ALL and found is None:
            self.told.append(
                say(
                    "There is no companion “{name}”: the one used most is shown.", name=_short(self.companion)
                )
            )
        if found is None:
            found = next((UUID(used) for used in self._used()), None)
        return found


def compared(scope: Scope, compare: str, chosen: Range) -> Scope | None:
    """The scope that a range is compared with; before everything there is, there is nothing."""
    if compare == NONE or chosen.whole:
        return None
    return scope.previous(same_weekdays=compare == WEEKDAYS)


def who(principal: Principal) -> tuple[Hashable, ...]:
    """What an answer may be shared by: one workspace, one set of permissions."""
    return (principal.workspace_id, principal.permissions)


def _short(word: str) -> str:
    return word if len(word) <= 40 else f"{word[:39]}…"
