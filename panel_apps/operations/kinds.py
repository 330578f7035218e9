"""Every kind of drill against its promise, with a small drawing of how its figures went; and the chain of evidence."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from html import escape

from leitstand.db.models import Drill
from leitstand.health.evidence import PROMISES, Promise
from panel_apps.operations.answers import Evidence
from panel_apps.parts import FAILED, badge, nothing, table
from panel_apps.speech import duration, moment, number, say
from serving.shell.formats import EMPTY

WIDTH, HEIGHT, EDGE = 150.0, 34.0, 4.0
HASH_SHOWN = 12


def table_of(evidence: Evidence, period: timedelta, zone: str) -> str:
    """A row for each kind that is promised, whether it was rehearsed or not."""
    start = evidence.as_of - period
    rows = [
        _row(kind, promise, [one for one in evidence.drills if one.kind == kind], evidence, start)
        for kind, promise in PROMISES.items()
    ]
    heads = (
        say("Kind of restore"), say("Last proof"), say("Passed"), "RPO", say("RPO in the period"), "RTO",
        say("RTO in the period"),
    )  # fmt: skip
    return table(say("Every kind of restore against its promise"), heads, rows, numbers={2, 3, 5}, whole=True)


def chain_facts(evidence: Evidence, zone: str) -> str:
    """How long the chain is, its newest link, and what its last audit found."""
    chain = evidence.chain
    if not chain.length:
        return nothing(
            say(
                "No evidence is archived yet: the first drill begins the chain. Run: leitstand drill run postgres-latest"
            )
        )
    if chain.audited_at is None:
        audit, words = badge("waiting"), say("Not audited yet; it is every night.")
    else:
        audit = badge("failed" if chain.broken else "passed")
        found = (
            say("broken links: {count}", count=number(chain.broken))
            if chain.broken
            else say("every link is whole")
        )
        words = say(
            "{when}: {found}; links since then: {count}.",
            when=moment(chain.audited_at, zone), found=found, count=number(chain.unaudited),
        )  # fmt: skip
    earlier = f' <a href="/operations/checks/evidence-chain">{say("Earlier audits")}</a>'
    facts = {
        say("Links of the chain"): number(chain.length),
        say(
            "Newest link"
        ): f'<code title="{escape(chain.last_sha256)}">{escape(chain.last_sha256[:HASH_SHOWN])}…</code> {escape(chain.last_kind)}, {moment(chain.last_at, zone)}',
        say("Last audit"): f"{audit} {words}{earlier if chain.audited_at else ''}",
    }
    return (
        '<dl class="facts">'
        + "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in facts.items())
        + "</dl>"
    )


def _row(
    kind: str, promise: Promise, drills: Sequence[Drill], evidence: Evidence, start: datetime
) -> list[str]:
    ended = [one for one in drills if one.status != "running"]
    passed = sum(one.status == "passed" for one in ended)
    cells = [
        escape(kind),
        _proof(evidence, kind, promise),
        say("{part} of {whole}", part=number(passed), whole=number(len(ended))) if ended else EMPTY,
    ]
    for name, target in (("rpo", promise.rpo), ("rto", promise.rto)):
        measured = [(one, getattr(one, f"{name}_seconds")) for one in ended]
        newest = next((value for _, value in reversed(measured) if value is not None), None)
        cells += [
            _figure(newest, target),
            _drawing(
                measured,
                target,
                start,
                evidence.as_of,
                say("{figure} of {drill}", figure=name.upper(), drill=kind),
            ),
        ]
    return cells


def _proof(evidence: Evidence, kind: str, promise: Promise) -> str:
    at, most = (
        evidence.passed.get(kind),
        say("at most {duration}", duration=duration(promise.proof.total_seconds())),
    )
    if at is None:
        return f'<span class="bad">{say("Never")}</span> <span class="muted">{most}</span>'
    old = evidence.as_of - at
    look = "good" if old <= promise.proof else "bad"
    return f'<span class="{look}">{say("{duration} ago", duration=duration(old.total_seconds()))}</span> <span class="muted">{most}</span>'


def _figure(newest: float | None, target: timedelta | None) -> str:
    promised = (
        f'<span class="muted">{say("of {duration}", duration=duration(target.total_seconds()))}</span>'
        if target
        else ""
    )
    if newest is None:
        return f"{EMPTY} {promised}" if promised else EMPTY
    look = "" if target is None else "good" if newest <= target.total_seconds() else "bad"
    return f'<span class="{look}">{duration(newest)}</span> {promised}'


def _drawing(
    measured: Sequence[tuple[Drill, float | None]],
    target: timedelta | None,
    start: datetime,
    end: datetime,
    title: str,
) -> str:
    """The figures over the period as points, the promise as a dashed line; in words for whoever can't see it."""
    known = [value for _, value in measured if value is not None]
    if not measured:
        return EMPTY
    promise = target.total_seconds() if target else 0.0
    highest = max([promise, *known]) * 1.15 or 1.0

    def across(drill: Drill) -> float:
        return EDGE + (WIDTH - 2 * EDGE) * ((drill.started_at - start) / (end - start))

    def down(value: float) -> float:
        return HEIGHT - EDGE - (HEIGHT - 2 * EDGE) * value / highest

    points = [
        (across(drill), down(value))
        for drill, value in measured
        if value is not None and drill.status not in FAILED
    ]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    line = f'<polyline points="{path}"/>' if len(points) > 1 else ""
    dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2"/>' for x, y in points)
    crosses = "".join(
        _cross(across(drill), down(value or 0.0)) for drill, value in measured if drill.status in FAILED
    )
    level = (
        f'<line class="promise" x1="0" x2="{WIDTH:g}" y1="{down(promise):.1f}" y2="{down(promise):.1f}"/>'
        if target
        else ""
    )
    said = f"{title}: {_words(measured, known, target)}"
    return f'<svg class="trend" viewBox="0 0 {WIDTH:g} {HEIGHT:g}" role="img" aria-label="{escape(said)}">{level}{line}{dots}{crosses}</svg>'


def _cross(x: float, y: float) -> str:
    return f'<path class="failed" d="M{x - 3:.1f} {y - 3:.1f}l6 6m0 -6l-6 6"/>'


def _words(
    measured: Sequence[tuple[Drill, float | None]], known: Sequence[float], target: timedelta | None
) -> str:
    failed = sum(drill.status in FAILED for drill, _ in measured)
    parts = [say("{count} drills", count=number(len(measured)))]
    if known:
        parts.append(say("from {least} to {most}", least=duration(min(known)), most=duration(max(known))))
    if target:
        parts.append(say("promised {duration}", duration=duration(target.total_seconds())))
    if failed:
        parts.append(say("{count} failed", count=number(failed)))
    return ", ".join(parts)
