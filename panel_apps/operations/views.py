"""How operations look: components by name, and what a load puts into them."""

from collections.abc import Sequence
from datetime import timedelta
from html import escape
from zoneinfo import ZoneInfo

from leitstand.health.evidence import RPO_TARGET, RTO_TARGET, proves_postgres
from leitstand.health.overview import ServiceState
from panel_apps.charts import BLUE, TEAL, Series, TargetChart, link
from panel_apps.operations import kinds, parts
from panel_apps.operations.store import OperationsStore, Snapshot
from panel_apps.parts import FAILED, tiles_html
from panel_apps.speech import clock, day_and_time, duration, number, say, status
from panel_apps.view import View

DAY = timedelta(days=1)


class OperationsView(View):
    """The components of the operations dashboard."""

    APP = "operations"
    PANES = (
        "figures", "services", "kinds", "chain", "rpo_words", "rto_words", "backups", "drills", "executions", "checks",
    )  # fmt: skip

    def __init__(self) -> None:
        super().__init__(
            {
                "rpo": TargetChart(Series("rpo", "Recovery point", TEAL), RPO_TARGET.total_seconds()),
                "rto": TargetChart(Series("rto", "Recovery time", BLUE), RTO_TARGET.total_seconds()),
            }
        )
        link([chart.figure for chart in self.charts.values()])
        self.put("services", f'<p class="words">{say("Asking every service…")}</p>')

    def show(self, snapshot: Snapshot) -> None:
        """Put the evidence of a load into the components."""
        evidence, zone = snapshot.evidence, snapshot.zone
        at = evidence.as_of.astimezone(ZoneInfo(zone))
        time = f'<strong><time datetime="{at.isoformat()}">{clock(at, seconds=True)}</time></strong>'
        line = f"{say('As of {time}', time=time)} · {escape(zone)}"
        state = {"period": snapshot.period, "refresh": snapshot.refresh, "at": at.isoformat(), "zone": zone}
        self.say(line, snapshot.notices, state)
        self.annotate(snapshot.notes)
        self.put("figures", tiles_html(parts.tiles(evidence, zone)))
        self._show_drills(snapshot)
        self.put("kinds", kinds.table_of(evidence, int(snapshot.period) * DAY, zone))
        self.put("chain", kinds.chain_facts(evidence, zone))
        self.put("backups", parts.backups_table(evidence.backups, zone))
        self.put("drills", parts.drills_table(evidence.drills, zone))
        self.put("executions", parts.executions_table(evidence.executions, evidence.by_status, zone))
        self.put("checks", parts.checks_table(evidence.checks, zone))

    def fill(self, store: OperationsStore) -> Snapshot:
        """Everything with the services' states, which the page asks for beside its evidence."""
        snapshot: Snapshot = super().fill(store)
        self.show_services(store.services())
        return snapshot

    def show_services(self, states: Sequence[ServiceState]) -> None:
        """Put the services' states into their place."""
        self.put("services", parts.services_table(states))

    def _show_drills(self, snapshot: Snapshot) -> None:
        ended = [drill for drill in snapshot.evidence.drills if drill.status != "running"]
        drills = [drill for drill in ended if proves_postgres(drill)]
        zone = ZoneInfo(snapshot.zone)
        at = [drill.started_at.astimezone(zone).replace(tzinfo=None) for drill in drills]
        now = snapshot.evidence.as_of.astimezone(zone).replace(tzinfo=None)
        start = now - int(snapshot.period) * DAY
        labels = [
            f"{day_and_time(when)}, {drill.kind}, {status(drill.status)}"
            for when, drill in zip(at, drills, strict=True)
        ]
        failed = [drill.status in FAILED for drill in drills]
        for name, target in (("rpo", RPO_TARGET), ("rto", RTO_TARGET)):
            seconds = [getattr(drill, f"{name}_seconds") for drill in drills]
            said = _said(seconds, sum(failed), target.total_seconds())
            self.charts[name].show(at, seconds, failed, labels, said, start=start, end=now)
            self.put(f"{name}_words", f'<p class="words">{escape(said)}</p>')


def _said(seconds: Sequence[float | None], failed: int, target: float) -> str:
    """A chart of drills in a sentence."""
    known = [value for value in seconds if value is not None]
    ending = f" {say('{count} failed.', count=number(failed))}" if failed else ""
    if not known:
        said = say("No drill of this period measured it. The target is {target}.", target=duration(target))
        return said + ending
    said = say(
        "Newest {newest}, longest {longest}; {within} of {all} drills within the target of {target}.",
        newest=duration(known[-1]), longest=duration(max(known)),
        within=number(sum(value <= target for value in known)), all=number(len(seconds)), target=duration(target),
    )  # fmt: skip
    return said + ending
