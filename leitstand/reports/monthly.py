"""The monthly report on operations; the notebook monthly-operations shows its sections one by one."""

from datetime import UTC, datetime
from functools import cached_property
from itertools import pairwise
from typing import Any

from leitstand.health.evidence import PROOF_TARGET, RPO_TARGET, RTO_TARGET
from leitstand.health.overview import overview
from leitstand.health.period import PASSED, operations_between
from leitstand.identity.access import system_principal
from leitstand.insights.scope import DAY, midnight
from leitstand.reports import words
from leitstand.reports.blocks import Block, KeyFigure, definitions, head, key_figures, notices, section, table
from leitstand.reports.charts import Series, columns
from leitstand.reports.kinds import MONTHLY
from leitstand.reports.monthly_notices import monthly_notices
from leitstand.reports.taking_up import Work, reading, take_up
from leitstand.runbooks.taking_up import SANDBOX
from leitstand.words.lines import one_line

RPO, RTO = RPO_TARGET.total_seconds(), RTO_TARGET.total_seconds()
DEFINITIONS = (
    ("Restore drill", "A rehearsal that restores a backup into a scratch server, checks it and times it. A backup that has not been restored is not yet a backup."),
    ("Recovery point (RPO)", f"Work that would have been lost; at most {words.duration(RPO)} is promised."),
    ("Recovery time (RTO)", f"Until connections were accepted again; at most {words.duration(RTO)} is promised."),
    ("Longest without proof", f"The longest stretch without a passed drill; at most {words.duration(PROOF_TARGET.total_seconds())} is promised."),
    ("Data checks", "Facts compared with raw events, and both with their rules."),
    ("Execution", "One run of a flow for one instant of its schedule, or started by hand."),
)  # fmt: skip
SHOWN_DRILLS = 40


class MonthlyOperations:
    """One month of this environment. Sections without anything to show are left out."""

    def __init__(self, work: Work, now: dict[str, Any], before: dict[str, Any], as_of: datetime) -> None:
        self.work, self.now, self.before, self.as_of = work, now, before, as_of
        self.services = overview(work.engine, work.settings)
        work.keep(self.summary())

    @classmethod
    def begin(
        cls, *, run_id: str = SANDBOX, workspace: str = "", start: str = "", zone: str = ""
    ) -> "MonthlyOperations":
        """Ask every figure of the month, in one read-only transaction; see `leitstand.reports.taking_up.take_up`.

        Raises:
            InvalidInput, NotFound: the parameters name nothing.
        """
        work = take_up(MONTHLY, run_id=run_id, workspace=workspace, start=start, zone=zone)
        as_of, principal = datetime.now(UTC), system_principal(work.workspace_id, "report")
        earlier = (work.period.start - DAY).replace(day=1)
        edges = [midnight(day, work.zone) for day in (earlier, work.period.start, work.period.end)]
        with reading(work.engine) as session:
            before, now = (
                operations_between(session, principal=principal, start=start_at, end=end_at, now=as_of)
                for start_at, end_at in pairwise(edges)
            )
        return cls(work, now, before, as_of)

    @property
    def empty(self) -> bool:
        """Whether nothing was done in the month."""
        return not (
            self.now["drills"] or self.now["backups"] or self.now["flows"] or self.now["checks"]["runs"]
        )

    # --- the sections ---

    def head(self) -> Block:
        """Which environment, which month, and as of when."""
        first, last = self.work.period.start, self.work.period.end - DAY
        running = not self.work.period.over(self.work.zone, self.as_of)
        facts = [
            ("Days", f"{words.day(first)} to {words.day(last)}, days of {self.work.zone}"),
            ("As of", words.instant(self.as_of, self.work.zone)),
            ("The month is", "still running" if running else "over"),
            ("For", MONTHLY.audience),
        ]
        return head(f"The environment of {self.work.workspace_name}", self.work.period.label, facts)

    def attention(self) -> Block:
        """What needs attention first."""
        return section("What needs attention first", notices(self.notices, "Every promise was kept."))

    def key_figures(self) -> Block:
        """The key figures beside the month before."""
        if self.empty:
            return Block()
        return section("Key figures", key_figures(self.figures, "the month before"))

    def drills(self) -> Block:
        """Restore drills with their recovery points and times."""
        found = self.now["drills"]
        if not found:
            return Block()
        shown = found[-SHOWN_DRILLS:]
        labels = [words.short_day(row["at"][:10]) for row in shown]
        rpo = columns("Recovery points of the drills, in seconds", labels, [Series("RPO", [row["rpo_seconds"] for row in shown])], unit="s", target=RPO, target_name=f"promised: {words.duration(RPO)}")  # fmt: skip
        rto = columns("Recovery times of the drills, in seconds", labels, [Series("RTO", [row["rto_seconds"] for row in shown])], unit="s", target=RTO, target_name=f"promised: {words.duration(RTO)}")  # fmt: skip
        rows = [
            (
                words.local_time(row["at"], self.work.zone),
                row["name"],
                row["status"],
                one_line(row["error"], 120) or words.NONE,
                words.duration(row["rpo_seconds"]),
                words.duration(row["rto_seconds"]),
            )
            for row in reversed(shown)
        ]
        heads = "Began", "Drill", "Result", "Why it failed", "RPO", "RTO"
        cut = f" The newest {len(shown)} are shown." if len(found) > len(shown) else ""
        return section(
            "Restore drills",
            f"{words.share(self._passed(self.now), len(found))} of the drills proved a restore.{cut}",
            "Recovery points (work that would have been lost):", rpo,
            "Recovery times (until connections were accepted):", rto,
            table("Restore drills, newest first", heads, rows, numbers=4),
        )  # fmt: skip

    def backups(self) -> Block:
        """Backups by kind."""
        if not self.now["backups"]:
            return Block()
        rows = [
            (
                row["kind"],
                words.share(row["complete"], row["complete"] + row["failed"]),
                words.size(row["bytes"]),
                words.local_time(row["last"], self.work.zone) if row["last"] else words.NONE,
            )
            for row in self.now["backups"]
        ]
        heads = "Kind", "Completed", "Stored in the month", "Newest complete"
        return section("Backups", table("Backups by kind", heads, rows))

    def schedules(self) -> Block:
        """Executions of flows and data checks."""
        if not self.now["flows"] and not self.now["checks"]["runs"]:
            return Block()
        checks = self.now["checks"]
        said = f"{words.share(checks['runs'] - checks['failed'], checks['runs'])} of the data checks' runs found nothing wrong."
        rows = [
            (row["flow"], *(words.number(row[name]) for name in ("complete", "failed", "crashed", "running")))
            for row in self.now["flows"]
        ]
        heads = "Flow", "Completed", "Failed", "Crashed", "Still running"
        return section("Schedules and checks", said, table("Executions by flow", heads, rows))

    def state(self) -> Block:
        """The services while the report was made."""
        rows = [(one.title, one.state, one_line(one.detail, 120) or words.NONE) for one in self.services]
        up = sum(one.state == "up" for one in self.services)
        said = f"{words.share(up, len(rows))} of the services were up when the report was made; it says nothing of the days before."
        return section(
            "Services now", said, table("Services", ("Service", "State", "Detail"), rows, numbers=9)
        )

    def definitions(self) -> Block:
        """What the words mean."""
        return section("What the words mean", definitions(DEFINITIONS))

    # --- what the sections say ---

    @staticmethod
    def _passed(document: dict[str, Any]) -> int:
        return sum(row["status"] == PASSED for row in document["drills"])

    @cached_property
    def figures(self) -> list[KeyFigure]:
        """The key figures, in words."""
        now, before = self.now, self.before
        rates = [
            ("Drills passed", *_drills(now), *_drills(before)),
            ("Backups completed", *_backups(now), *_backups(before)),
            ("Data checks passed", *_checks(now), *_checks(before)),
            ("Executions completed", *_executions(now), *_executions(before)),
        ]
        worst = [
            ("Worst recovery point", _worst(now, "rpo_seconds"), _worst(before, "rpo_seconds"), RPO),
            ("Worst recovery time", _worst(now, "rto_seconds"), _worst(before, "rto_seconds"), RTO),
            ("Longest without proof", now["longest_without_proof"], before["longest_without_proof"], PROOF_TARGET.total_seconds()),
        ]  # fmt: skip
        return [_rate(*entry) for entry in rates] + [_promise(*entry) for entry in worst]

    @cached_property
    def notices(self) -> list[Any]:
        """What needs attention, the weightiest first."""
        return monthly_notices(self.now, self.services, empty=self.empty)

    def summary(self) -> dict[str, Any]:
        """The key figures and notices for the list and the mail."""
        return {
            "as_of": self.as_of.isoformat(),
            "empty": self.empty,
            "figures": [] if self.empty else [figure.to_dict() for figure in self.figures],
            "notices": [notice.to_dict() for notice in self.notices],
        }

    @property
    def problems(self) -> list[str]:
        """What contradicts itself; empty when all is well."""
        found = []
        for name in ("rpo_seconds", "rto_seconds"):
            found += [
                f"a {name} below zero"
                for row in self.now["drills"]
                if row[name] is not None and row[name] < 0
            ]
        if self.now["checks"]["failed"] > self.now["checks"]["runs"]:
            found.append("more checks failed than were run")
        if not self.services:
            found.append("no service was asked")
        return found


def _drills(document: dict[str, Any]) -> tuple[int, int]:
    return MonthlyOperations._passed(document), len(document["drills"])


def _backups(document: dict[str, Any]) -> tuple[int, int]:
    done = sum(row["complete"] for row in document["backups"])
    return done, done + sum(row["failed"] for row in document["backups"])


def _checks(document: dict[str, Any]) -> tuple[int, int]:
    checks = document["checks"]
    return checks["runs"] - checks["failed"], checks["runs"]


def _executions(document: dict[str, Any]) -> tuple[int, int]:
    """Completed of those that have ended."""
    done = sum(row["complete"] for row in document["flows"])
    return done, done + sum(row["failed"] + row["crashed"] for row in document["flows"])


def _worst(document: dict[str, Any], name: str) -> float | None:
    return max((row[name] for row in document["drills"] if row[name] is not None), default=None)


def _rate(name: str, part: int, whole: int, part_before: int, whole_before: int) -> KeyFigure:
    now, before = (part / whole if whole else None), (part_before / whole_before if whole_before else None)
    return KeyFigure(
        name,
        words.percent(now),
        words.share(part_before, whole_before),
        words.points(now, before),
        f"{words.number(part)} of {words.number(whole)}",
    )


def _promise(name: str, value: float | None, before: float | None, target: float) -> KeyFigure:
    kept = "" if value is None else (", kept" if value <= target else ", NOT kept")
    changed = words.NONE
    if value is not None and before is not None:
        difference = value - before
        changed = (
            f"{words.duration(abs(difference))} {'more' if difference > 0 else 'less'}"
            if difference
            else "unchanged"
        )
    return KeyFigure(
        name,
        words.duration(value),
        words.duration(before),
        changed,
        f"promised: at most {words.duration(target)}{kept}",
    )
