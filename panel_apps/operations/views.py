"""How operations look: components by name, and what a load puts into them."""

from collections.abc import Sequence
from datetime import timedelta
from html import escape
from typing import Any
from zoneinfo import ZoneInfo

from leitstand.health.evidence import RPO_TARGET, RTO_TARGET
from leitstand.health.overview import ServiceState
from panel_apps.charts import BLUE, TEAL, Series, TargetChart
from panel_apps.operations import parts
from panel_apps.operations.answers import FAILED
from panel_apps.operations.store import Snapshot
from panel_apps.page import chart_pane, html_pane, styles
from serving.shell.formats import duration, number

PANES = (
    "status",
    "figures",
    "services",
    "rpo_words",
    "rto_words",
    "backups",
    "drills",
    "executions",
    "checks",
)
DAY = timedelta(days=1)


class OperationsView:
    """The components of the operations dashboard; `show` fills them, `clear` empties them."""

    def __init__(self) -> None:
        sheets = styles()
        self.panes = {name: html_pane(sheets) for name in PANES}
        self.charts = {
            "rpo": TargetChart(Series("rpo", "Recovery point", TEAL), RPO_TARGET.total_seconds()),
            "rto": TargetChart(Series("rto", "Recovery time", BLUE), RTO_TARGET.total_seconds()),
        }
        self.panes["services"].object = '<p class="words">Asking every service…</p>'

    @property
    def status(self) -> Any:
        """Where the page says what it shows."""
        return self.panes["status"]

    def components(self) -> dict[str, Any]:
        """Every component by the name under which the template embeds it."""
        return {**self.panes, **{name: chart_pane(chart.figure) for name, chart in self.charts.items()}}

    def clear(self) -> None:
        """Take everything off the page."""
        for pane in self.panes.values():
            pane.object = ""
        for chart in self.charts.values():
            chart.clear()

    def show(self, snapshot: Snapshot) -> None:
        """Put the evidence of a load into the components."""
        evidence, zone = snapshot.evidence, snapshot.zone
        notices = "".join(
            f'<div class="callout warn" role="status"><p>{escape(notice)}</p></div>'
            for notice in snapshot.notices
        )
        at = evidence.as_of.astimezone(ZoneInfo(zone))
        self.panes[
            "status"
        ].object = f'<p class="shown">As of <strong><time datetime="{at.isoformat()}">{at:%H:%M:%S}</time></strong> · {escape(zone)}</p>{notices}'
        self.panes["figures"].object = parts.tiles(evidence, zone)
        self._show_drills(snapshot)
        self.panes["backups"].object = parts.backups_table(evidence.backups, zone)
        self.panes["drills"].object = parts.drills_table(evidence.drills, zone)
        self.panes["executions"].object = parts.executions_table(
            evidence.executions, evidence.by_status, zone
        )
        self.panes["checks"].object = parts.checks_table(evidence.checks, zone)
        self.status.tags = [{"period": snapshot.period, "refresh": snapshot.refresh, "at": at.isoformat()}]

    def show_services(self, states: Sequence[ServiceState]) -> None:
        """Put the services' states into their place."""
        self.panes["services"].object = parts.services_table(states)

    def _show_drills(self, snapshot: Snapshot) -> None:
        drills = [drill for drill in snapshot.evidence.drills if drill.status != "running"]
        zone = ZoneInfo(snapshot.zone)
        at = [drill.started_at.astimezone(zone).replace(tzinfo=None) for drill in drills]
        now = snapshot.evidence.as_of.astimezone(zone).replace(tzinfo=None)
        start = now - int(snapshot.period) * DAY
        labels = [
            f"{when:%-d %b %Y, %H:%M}, {drill.kind}, {drill.status}"
            for when, drill in zip(at, drills, strict=True)
        ]
        failed = [drill.status in FAILED for drill in drills]
        for name, target in (("rpo", RPO_TARGET), ("rto", RTO_TARGET)):
            seconds = [getattr(drill, f"{name}_seconds") for drill in drills]
            said = _said(seconds, sum(failed), target.total_seconds())
            self.charts[name].show(at, seconds, failed, labels, said, start=start, end=now)
            self.panes[f"{name}_words"].object = f'<p class="words">{escape(said)}</p>'


def _said(seconds: Sequence[float | None], failed: int, target: float) -> str:
    """A chart of drills in a sentence."""
    known = [value for value in seconds if value is not None]
    ending = f" {number(failed)} failed." if failed else ""
    if not known:
        return f"No drill of this period measured it. The target is {duration(target)}.{ending}"
    within = sum(value <= target for value in known)
    return (
        f"Newest {duration(known[-1])}, longest {duration(max(known))}; {number(within)} of {number(len(seconds))} "
        f"drills within the target of {duration(target)}.{ending}"
    )
