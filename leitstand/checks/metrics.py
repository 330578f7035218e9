"""Prometheus metrics of the checks: on how many days facts or copies differ, and how many facts from archived events."""

from collections.abc import Iterable

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from sqlalchemy import text
from sqlalchemy.orm import Session

from leitstand.db.figures import DatabaseCollector

# The checks whose violations are days of a workspace.
DAILY = ("runs-equal-events", "actors-equal-events", "copy-equals-facts")
# Those whose violations are facts of logs with archived events.
ARCHIVED = ("archived-runs-equal-events", "archived-actors-equal-events")
LATEST = text("""
SELECT outcome ->> 'name' AS name, coalesce((outcome ->> 'unexpected')::int, 0) AS differing,
       extract(epoch FROM run.at) AS at
FROM (SELECT DISTINCT ON (suite) suite, at, result FROM check_run WHERE target = 'live' ORDER BY suite, at DESC) AS run,
     jsonb_array_elements(run.result -> 'results') AS outcome
WHERE outcome ->> 'name' = ANY(:names) ORDER BY 1
""")


class ChecksCollector(DatabaseCollector):
    """Days that differ, by check, and when that was looked at."""

    def families(self, session: Session) -> Iterable[Metric]:
        found = session.execute(LATEST, {"names": [*DAILY, *ARCHIVED]}).all()
        days = GaugeMetricFamily(
            "leitstand_insights_differing_days",
            "Days on which facts differ from events, or copies from facts; alert on any.",
            labels=["check"],
        )
        at = GaugeMetricFamily(
            "leitstand_insights_checked_timestamp_seconds", "When that was last checked.", labels=["check"]
        )
        archived = GaugeMetricFamily(
            "leitstand_events_archive_differing_facts",
            "Facts that differ from the events of table and archive; alert on any.",
            labels=["check"],
        )
        for name, differing, checked in found:
            (days if name in DAILY else archived).add_metric([name], differing)
            at.add_metric([name], float(checked))
        return days, archived, at
