"""The choices and data of the operations dashboard."""

from dataclasses import dataclass
from datetime import timedelta
from zoneinfo import ZoneInfo

import param

from leitstand.db.engine import get_engine
from leitstand.health.overview import ServiceState, overview
from leitstand.settings import get_settings
from leitstand.words import N_
from panel_apps.access import Visitor
from panel_apps.cache import Remembered
from panel_apps.happened import Happened, happened
from panel_apps.operations.answers import Evidence, ask
from panel_apps.speech import say
from serving.session import transaction_of

PERIODS = {"30": N_("Last 30 days"), "90": N_("Last 90 days"), "365": N_("Last year")}
REFRESHES = {"0": N_("By hand"), "30": N_("Every 30 seconds"), "300": N_("Every 5 minutes")}
USUAL_PERIOD, USUAL_REFRESH = "90", "30"
SERVICES: Remembered[list[ServiceState]] = Remembered(most=1, seconds=4)


@dataclass(frozen=True)
class Snapshot:
    """What a load gave: the evidence, the choices after correction, and what was corrected."""

    evidence: Evidence
    period: str
    refresh: str
    zone: str
    notices: tuple[str, ...]
    notes: tuple[Happened, ...] = ()


class OperationsStore(param.Parameterized):
    """What a person chose, as the address has it; `load` corrects it and gets the data."""

    period = param.String(USUAL_PERIOD, doc="Days that the drills and executions go back.")
    refresh = param.String(USUAL_REFRESH, doc="Seconds between two refreshes by itself; 0: none.")

    CHOICES = ("period", "refresh")

    def __init__(self, visitor: Visitor, **choices: str) -> None:
        super().__init__(**choices)  # type: ignore[no-untyped-call]
        self.visitor = visitor

    def load(self, *, acting: bool = True) -> Snapshot:
        """The evidence of the chosen period.

        Args:
            acting: whether the person did something (see `Visitor.confirm`).

        Raises:
            NotSignedIn: the session has ended.
            Forbidden: the role no longer allows it.
        """
        principal = self.visitor.confirm(acting=acting)
        notices = self._correct()
        with transaction_of(principal) as session:
            evidence = ask(session, principal=principal, period=timedelta(days=int(self.period)))
            today = evidence.as_of.astimezone(ZoneInfo(principal.zone)).date()
            first, end = today - timedelta(days=int(self.period)), today + timedelta(days=1)
            notes = happened(session, principal, start=first, end=end, zone=principal.zone)
        return Snapshot(evidence, self.period, self.refresh, principal.zone, tuple(notices), notes)

    def services(self) -> list[ServiceState]:
        """The state of every service now, at most four seconds old; takes up to two seconds.

        Raises:
            NotSignedIn: the session has ended.
            Forbidden: the role no longer allows it.
        """
        self.visitor.confirm(acting=False)
        return SERVICES.get("all", lambda: overview(get_engine(), get_settings()))

    def _correct(self) -> list[str]:
        notices = []
        if self.period not in PERIODS:
            notices.append(
                say("The period is one of {periods} days: the last 90 are shown.", periods=", ".join(PERIODS))
            )
            self.period = USUAL_PERIOD
        if self.refresh not in REFRESHES:
            notices.append(
                say(
                    "The page refreshes itself after {seconds} seconds, or not at all (0).",
                    seconds=", ".join(list(REFRESHES)[1:]),
                )
            )
            self.refresh = USUAL_REFRESH
        return notices
