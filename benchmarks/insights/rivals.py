"""The same questions as a person would ask them without Leitstand: SQL on the events themselves.

`Raw` asks the ledger's partitions in PostgreSQL, or the same events as Parquet in DuckDB, with one text for both (their
dialects differ in a few words). Its figures equal Leitstand's. `Umami` asks in the way of Umami's queries: counts of views,
visitors by session, a funnel of self-joins, retention of first days; what it calls so is not quite ours, so only its time
is compared. Apache Superset's charts make statements of the first kind, with a LIMIT.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from benchmarks.insights.dataset import FUNNEL
from leitstand.db.ids import lowest_uuid7
from leitstand.insights.scope import Scope

# A run that began before the range has events in it; a person who knows that looks back so far.
MARGIN = timedelta(days=1)
RUNS = """
WITH runs AS (
    SELECT run_key, min(occurred_at) AS first_at, max(occurred_at) AS last_at, bool_or(kind = 'answered') AS started,
           bool_or(step = '{end}') AS completed, min(CASE WHEN step = '{end}' THEN occurred_at END) AS completed_at,
           (array_agg(actor_key ORDER BY occurred_at, seq))[1] AS actor,
           (array_agg(companion_id ORDER BY occurred_at, seq))[1] AS companion, {steps} AS steps
    FROM {events} WHERE {wide} GROUP BY run_key {begun}
)
"""
TRAFFIC = "SELECT {day}, count(*), count(*) FILTER (WHERE started), count(*) FILTER (WHERE completed) FROM runs GROUP BY 1 ORDER BY 1"
COMPLETION = """
SELECT count(*), count(*) FILTER (WHERE started), count(*) FILTER (WHERE completed),
       percentile_cont(0.5) WITHIN GROUP (ORDER BY CASE WHEN completed THEN extract(epoch FROM last_at - first_at) END),
       percentile_cont(0.95) WITHIN GROUP (ORDER BY CASE WHEN completed THEN extract(epoch FROM last_at - first_at) END)
FROM runs
"""
STEPS = """
, placed AS (SELECT run_key, unnest(steps) AS step FROM runs),
  ordered AS (SELECT run_key, array_position({funnel}, step) AS place FROM placed),
  last AS (SELECT run_key, max(place) AS place FROM ordered GROUP BY run_key)
SELECT o.place, count(*), count(*) FILTER (WHERE o.place = l.place)
FROM ordered AS o JOIN last AS l USING (run_key) WHERE o.place IS NOT NULL GROUP BY 1 ORDER BY 1
"""
COMPANIONS = "SELECT companion, count(*), count(*) FILTER (WHERE completed) FROM runs GROUP BY 1 ORDER BY 2 DESC LIMIT 10"
# A run counts where it began; what is completed in the range may have begun before.
BEGUN = "HAVING min(occurred_at) >= {start} AND min(occurred_at) < {end_at}"
POPULAR = """
, uses AS (
    SELECT companion, actor, {day} AS day, 2 AS weight FROM runs
    WHERE first_at >= {start} AND first_at < {end_at} GROUP BY 1, 2, 3
    UNION ALL
    SELECT companion, actor, {completed_day} AS day, 3 AS weight FROM runs
    WHERE completed_at >= {start} AND completed_at < {end_at} GROUP BY 1, 2, 3
)
SELECT companion, sum(weight * power(2.0, -({last_day} - day) / 14.0)) AS score FROM uses GROUP BY 1 ORDER BY 2 DESC LIMIT 10
"""
ACTIVE = "SELECT count(DISTINCT actor_key) FROM {events} WHERE {exact}"
ROLLING = """
WITH days AS (SELECT DISTINCT {event_day} AS day, actor_key FROM {events} WHERE {month_before}),
     asked AS (SELECT DISTINCT day FROM days WHERE day >= {first_day})
SELECT a.day, count(DISTINCT d.actor_key) FILTER (WHERE d.day = a.day),
       count(DISTINCT d.actor_key) FILTER (WHERE d.day > a.day - 7), count(DISTINCT d.actor_key)
FROM asked AS a JOIN days AS d ON d.day > a.day - 30 AND d.day <= a.day GROUP BY 1 ORDER BY 1
"""
RETENTION = """
WITH weeks AS (SELECT DISTINCT actor_key, {week} AS week FROM {events} WHERE {ever}),
     first AS (SELECT actor_key, min(week) AS cohort FROM weeks GROUP BY 1),
     seen AS (SELECT actor_key, min(occurred_at) AS first_at FROM {events} WHERE {ever} GROUP BY 1)
SELECT cohort, week, count(*) FROM weeks JOIN first USING (actor_key) JOIN seen USING (actor_key)
WHERE first_at >= {start} GROUP BY 1, 2 ORDER BY 1, 2
"""
SESSIONS = """
WITH gaps AS (
    SELECT occurred_at, lag(occurred_at) OVER (PARTITION BY companion_id, actor_key ORDER BY occurred_at) AS before
    FROM {events} WHERE {hour_before}
)
SELECT count(*) FROM gaps WHERE occurred_at >= {start} AND (before IS NULL OR occurred_at - before > INTERVAL '30 minutes')
"""
UMAMI = {
    "traffic": "SELECT date_trunc('day', occurred_at AT TIME ZONE '{zone}') AS x, count(*) AS y FROM {events} WHERE {exact} GROUP BY 1 ORDER BY 1",
    "active users": """
        SELECT sum(c), count(DISTINCT actor_key), count(DISTINCT run_key), sum(CASE WHEN c = 1 THEN 1 ELSE 0 END),
               sum(extract(epoch FROM last - first))
        FROM (SELECT actor_key, run_key, count(*) AS c, min(occurred_at) AS first, max(occurred_at) AS last
              FROM {events} WHERE {exact} GROUP BY 1, 2) AS t""",
    "companions": "SELECT companion_id AS x, count(*) AS y FROM {events} WHERE {exact} GROUP BY 1 ORDER BY 2 DESC LIMIT 10",
    "retention": """
        WITH cohort_items AS (
            SELECT actor_key, min(date_trunc('day', occurred_at AT TIME ZONE '{zone}')) AS day FROM {events} WHERE {exact} GROUP BY 1
        ), activities AS (
            SELECT DISTINCT e.actor_key, date_trunc('day', e.occurred_at AT TIME ZONE '{zone}') - c.day AS later
            FROM {events} AS e JOIN cohort_items AS c USING (actor_key) WHERE {exact}
        )
        SELECT c.day, a.later, count(*) FROM activities AS a JOIN cohort_items AS c USING (actor_key) GROUP BY 1, 2 ORDER BY 1, 2""",
}


@dataclass(frozen=True)
class Raw:
    """Statements over one scope for one engine.

    Args:
        scope: what is asked about.
        events: the table or file.
        duckdb: whether the dialect is DuckDB's.
    """

    scope: Scope
    events: str
    duckdb: bool = False

    def statement(self, question: str) -> str:
        """The statement of a question (see `benchmarks.insights.__main__`)."""
        of_runs = {
            "traffic": TRAFFIC,
            "completion": COMPLETION,
            "steps": STEPS,
            "companions": COMPANIONS,
            "popular": POPULAR,
        }
        of_events = {"active users": ACTIVE, "rolling": ROLLING, "retention": RETENTION, "sessions": SESSIONS}
        text = RUNS + of_runs[question] if question in of_runs else of_events[question]
        begun = "" if question == "popular" else BEGUN.format(**self._words())
        return text.format(begun=begun, **self._words())

    def umami(self, question: str) -> str | None:
        """The statement in the way of Umami; None where it has no such question."""
        if question == "steps":
            return self._umami_funnel()
        return UMAMI[question].format(**self._words()) if question in UMAMI else None

    def _words(self) -> dict[str, str]:
        scope = self.scope
        begin, end = scope.start_at, scope.end_at
        local = "(({} AT TIME ZONE '" + scope.zone + "')::date)"
        funnel = ", ".join(f"'{step}'" for step in FUNNEL)
        return {
            "events": self.events,
            "zone": scope.zone,
            "start": f"'{begin}'::timestamptz",
            "end_at": f"'{end}'::timestamptz",
            "end": FUNNEL[-1],
            "day": local.format("first_at"),
            "completed_day": local.format("completed_at"),
            "event_day": local.format("occurred_at"),
            "week": f"date_trunc('week', occurred_at AT TIME ZONE '{scope.zone}')",
            "first_day": f"'{scope.start}'::date",
            "last_day": f"'{scope.end - timedelta(days=1)}'::date",
            "steps": "list(DISTINCT step)" if self.duckdb else "array_agg(DISTINCT step)",
            "funnel": f"[{funnel}]" if self.duckdb else f"ARRAY[{funnel}]",
            "exact": self._within(begin, end),
            "wide": self._within(begin - MARGIN, end + MARGIN),
            "month_before": self._within(begin - timedelta(days=30), end),
            "hour_before": self._within(begin - timedelta(hours=1), end),
            "ever": self._within(None, end),
        }

    def _within(self, begin: datetime | None, end: datetime) -> str:
        """The events of a time; by `event_id` too, since that is what partitions and the key go by."""
        conditions = [f"workspace_id = '{self.scope.workspace_id}'"]
        if self.scope.companion_id is not None:
            conditions.append(f"companion_id = '{self.scope.companion_id}'")
        if begin is not None:
            conditions.append(f"occurred_at >= '{begin}' AND event_id >= '{lowest_uuid7(begin)}'")
        conditions.append(f"occurred_at < '{end}' AND event_id < '{lowest_uuid7(end)}'")
        return " AND ".join(conditions)

    def _umami_funnel(self) -> str:
        words = self._words()
        levels = [
            f"level1 AS (SELECT DISTINCT run_key, occurred_at FROM {self.events} WHERE {words['exact']} AND step = '{FUNNEL[0]}')"
        ]
        for place, step in enumerate(FUNNEL[1:], 2):
            levels.append(
                f"level{place} AS (SELECT DISTINCT e.run_key, e.occurred_at FROM level{place - 1} AS l JOIN {self.events} AS e"
                f" ON e.run_key = l.run_key WHERE {words['exact'].replace('occurred_at', 'e.occurred_at')} AND e.step = '{step}'"
                " AND e.occurred_at BETWEEN l.occurred_at AND l.occurred_at + INTERVAL '60 minutes')"
            )
        counts = " UNION ".join(
            f"SELECT {place}, count(DISTINCT run_key) FROM level{place}"
            for place in range(1, len(FUNNEL) + 1)
        )
        return f"WITH {', '.join(levels)} {counts} ORDER BY 1"
