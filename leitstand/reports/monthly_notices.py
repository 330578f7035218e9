"""What of a month of operation needs attention first: promises that were not kept, and what failed, with counts."""

from collections.abc import Sequence
from typing import Any

from leitstand.health.evidence import PROOF_TARGET, RPO_TARGET, RTO_TARGET
from leitstand.health.overview import UP, ServiceState
from leitstand.health.period import PASSED
from leitstand.reports import words
from leitstand.reports.blocks import Notice
from leitstand.words.lines import one_line

PROMISES = (
    ("rpo_seconds", RPO_TARGET.total_seconds(), "would have lost more"),
    ("rto_seconds", RTO_TARGET.total_seconds(), "took longer"),
)


def monthly_notices(
    document: dict[str, Any], services: Sequence[ServiceState], *, empty: bool
) -> list[Notice]:
    """The notices of a month, the weightiest first."""
    if empty:
        return [
            Notice("note", "No backup, drill, check or schedule ran in this month."),
            *_services(services),
        ]
    return [
        *_proof(document),
        *_drills(document),
        *_backups(document),
        *_services(services),
        *_work(document),
    ]


def _proof(document: dict[str, Any]) -> list[Notice]:
    longest, passed = document["longest_without_proof"], [
        row for row in document["drills"] if row["status"] == PASSED
    ]  # fmt: skip
    if not passed:
        return [Notice("bad", "No drill proved a restore in this month.")]
    if longest is not None and longest > PROOF_TARGET.total_seconds():
        promised = words.duration(PROOF_TARGET.total_seconds())
        said = f"For {words.duration(longest)} no restore was proven; at most {promised} is promised."
        return [Notice("bad", said)]
    return []


def _drills(document: dict[str, Any]) -> list[Notice]:
    drills, found = document["drills"], []
    failed = [row for row in drills if row["status"] == "failed"]
    if failed:
        why = one_line(failed[-1]["error"], 120)
        said = f"{words.share(len(failed), len(drills))} of the drills failed" + (
            f"; the last: {why}" if why else ""
        )
        found.append(Notice("bad", said if said.endswith(".") else f"{said}."))
    for name, target, what in PROMISES:
        measured = [row[name] for row in drills if row[name] is not None]
        over = sum(value > target for value in measured)
        if over:
            said = f"{words.share(over, len(measured))} of the drills {what} than the {words.duration(target)} promised."
            found.append(Notice("bad", said))
    return found


def _backups(document: dict[str, Any]) -> list[Notice]:
    found = [
        Notice("warn", f"{words.counted(row['failed'], 'backup')} of {row['kind']} failed.")
        for row in document["backups"]
        if row["failed"]
    ]
    without = {"postgres", "objects", "secrets"} - {
        row["kind"] for row in document["backups"] if row["complete"]
    }
    if without:
        found.insert(0, Notice("bad", f"No backup was completed of: {', '.join(sorted(without))}."))
    return found


def _services(services: Sequence[ServiceState]) -> list[Notice]:
    out = [f"{one.name} ({one.state})" for one in services if one.state != UP]
    return [Notice("warn", f"Not up when the report was made: {', '.join(out)}.")] if out else []


def _work(document: dict[str, Any]) -> list[Notice]:
    found = []
    checks = document["checks"]
    if checks["failed"]:
        share = words.share(checks["failed"], checks["runs"])
        found.append(
            Notice("warn", f"{share} of the data checks' runs failed: {', '.join(checks['failing'])}.")
        )
    for row in document["flows"]:
        wrong, ended = row["failed"] + row["crashed"], row["complete"] + row["failed"] + row["crashed"]
        if wrong:
            found.append(
                Notice("warn", f"{row['flow']}: {words.share(wrong, ended)} of its executions failed.")
            )
    if document["failed_attempts"]:
        counted = words.counted(document["failed_attempts"], "attempt")
        found.append(Notice("note", f"{counted} of queued jobs failed; most are tried again."))
    return found
