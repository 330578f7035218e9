"""The parts of the operations dashboard that are HTML: tiles, badges and tables."""

from collections.abc import Sequence
from datetime import datetime
from html import escape

from leitstand.checks.history import PastRun
from leitstand.checks.result import database_of
from leitstand.db.models import Backup, Drill, FlowExecution
from leitstand.health.evidence import PROOF_TARGET, RPO_TARGET, RTO_TARGET, Chain, proves_postgres
from leitstand.health.overview import DEGRADED, UP, ServiceState
from leitstand.words import N_
from panel_apps.operations.answers import Evidence
from panel_apps.parts import Tile, badge, nothing, table
from panel_apps.speech import duration, moment, number, say, size, status, told
from serving.shell.formats import EMPTY, icon

KINDS = {"postgres": "PostgreSQL", "objects": N_("Objects"), "secrets": N_("Secrets")}
HASH_SHOWN = 12


def tiles(evidence: Evidence, zone: str) -> list[Tile]:
    """How operation stands, in a line of figures."""
    measured = (
        drill
        for drill in reversed(evidence.drills)
        if proves_postgres(drill) and drill.rto_seconds is not None
    )
    last = next(measured, None)
    rpo, rto = (last.rpo_seconds, last.rto_seconds) if last else (None, None)
    return [
        _proof(evidence),
        *(_backup_tile(evidence, kind) for kind in KINDS),
        _drill_tile(say("Recovery point (RPO)"), rpo, RPO_TARGET.total_seconds()),
        _drill_tile(say("Recovery time (RTO)"), rto, RTO_TARGET.total_seconds()),
        _chain_tile(evidence.chain),
    ]


def services_table(states: Sequence[ServiceState]) -> str:
    """Every service with its state."""
    rows = [
        [
            escape(told(one.title)),
            _service_badge(one.state),
            f'<span class="muted">{escape(told(one.detail)) or EMPTY}</span>',
            f"<code>{escape(one.address)}</code>",
            f"{number(one.milliseconds)} ms",
        ]
        for one in states
    ]
    up = sum(one.state == UP for one in states)
    said = say("{up} of {all} services are up.", up=up, all=len(states))
    heads = (say("Service"), say("State"), say("Detail"), say("Address"), say("Answer"))
    return f'<p class="words">{said}</p>' + table(say("Services"), heads, rows, numbers={4}, whole=True)


def backups_table(backups: Sequence[Backup], zone: str) -> str:
    """The newest backups: age, size, hash, and whether a drill has restored them."""
    if not backups:
        return nothing(
            say(
                "No backup has been made yet. Start one on the operations page, or run: leitstand backup run all"
            )
        )
    rows = [
        [
            f'{told(KINDS.get(one.kind, escape(one.kind)))}<span class="muted">{escape(one.error or one.engine)}</span>',
            badge(one.status),
            str(moment(one.started_at, zone)),
            _took(one.started_at, one.finished_at),
            size(one.bytes),
            f"{badge('restored', good=True)} {moment(one.verified_at, zone)}"
            if one.verified_at
            else f'<span class="muted">{say("Not yet")}</span>',
            digest(one.sha256),
        ]
        for one in backups
    ]
    heads = (
        say("Backup"), say("State"), say("Began"), say("Took"), say("Size"), say("Proven"), "SHA-256",
    )  # fmt: skip
    return table(say("Backups"), heads, rows, numbers={3, 4})


def drills_table(drills: Sequence[Drill], zone: str) -> str:
    """The restore drills with the address and hash of their evidence, newest first."""
    if not drills:
        return nothing(
            say(
                "No restore has been rehearsed in this period. Start a drill on the operations page, or run:"
                " leitstand drill run postgres-latest"
            )
        )
    rows = [
        [
            f'<a href="/operations/drills/{one.id}">{escape(one.kind)}</a><span class="muted">{escape(one.error)}</span>',
            badge(one.status),
            str(moment(one.started_at, zone)),
            duration(one.rpo_seconds),
            duration(one.rto_seconds),
            f"<code>{escape(one.notebook)}</code>" if one.notebook else EMPTY,
            digest(one.notebook_sha256),
        ]
        for one in reversed(drills)
    ]
    heads = (say("Drill"), say("State"), say("Began"), "RPO", "RTO", say("Evidence"), "SHA-256")
    return table(say("Restore drills"), heads, rows, numbers={3, 4})


def executions_table(executions: Sequence[FlowExecution], by_status: dict[str, int], zone: str) -> str:
    """The executions of flows, newest first."""
    if not executions:
        return nothing(say("No flow was executed in this period."))
    counts = ", ".join(f"{escape(status(one))}: {number(count)}" for one, count in sorted(by_status.items()))
    rows = [
        [
            f'{escape(one.flow)}<span class="muted">{escape(one.error)}</span>',
            badge(one.status),
            str(moment(one.scheduled_for, zone)),
            say("By schedule") if one.trigger == "schedule" else say("By hand"),
            _took(one.started_at, one.finished_at),
        ]
        for one in executions
    ]
    heads = (say("Flow"), say("State"), say("Due"), say("Started"), say("Took"))
    return f'<p class="words">{counts}.</p>' + table(say("Executions of flows"), heads, rows, numbers={4})


def checks_table(checks: Sequence[PastRun], zone: str) -> str:
    """The runs of data checks, newest first."""
    if not checks:
        return nothing(say("No data check has run yet. They run every night, and by: leitstand checks run"))
    rows = [
        [
            f'<a href="/operations/checks">{escape(one.suite)}</a><span class="muted">{say("on {target}", target=escape(told(database_of(one.target))))}</span>',
            badge("passed" if one.success else "failed"),
            say("{part} of {whole}", part=number(one.failed), whole=number(one.evaluated)),
            str(moment(one.at, zone)),
        ]
        for one in checks
    ]
    heads = (say("Suite"), say("Result"), say("Failed"), say("When"))
    return table(say("Data checks"), heads, rows, numbers={2})


def digest(sha256: str) -> str:
    """A hash, its beginning shown and all of it to copy."""
    return (
        f'<code class="hash" title="{escape(sha256)}">{escape(sha256[:HASH_SHOWN])}…</code>'
        if sha256
        else EMPTY
    )


def _proof(evidence: Evidence) -> Tile:
    title = say("Last proven restore")
    definition = say(
        "When a drill last restored a PostgreSQL backup and found it good; at most 26 hours ago."
    )
    if evidence.proven is None:
        return Tile(title, say("Never"), say("start a drill"), "", definition, "bad")
    old = evidence.as_of - evidence.proven
    look = "good" if old <= PROOF_TARGET else "bad"
    note = say("ago; at most {duration}", duration=duration(PROOF_TARGET.total_seconds()))
    return Tile(title, duration(old.total_seconds()), note, "", definition, look)


def _backup_tile(evidence: Evidence, kind: str) -> Tile:
    title, newest = say("{kind} backup", kind=told(KINDS[kind])), evidence.newest.get(kind)
    if newest is None or newest.finished_at is None:
        return Tile(title, say("None"), say("no complete backup yet"), look="bad")
    old = (evidence.as_of - newest.finished_at).total_seconds()
    where = say("The newest complete one lies at {place}.", place=newest.location)
    return Tile(title, duration(old), say("old; {size}", size=size(newest.bytes)), "", where)


def _drill_tile(title: str, seconds: float | None, target: float) -> Tile:
    look = "" if seconds is None else "good" if seconds <= target else "bad"
    note = say("target {duration}", duration=duration(target))
    return Tile(title, duration(seconds), note, "", say("Of the newest drill that restored."), look)


def _chain_tile(chain: Chain) -> Tile:
    title, definition = (
        say("Chain of evidence"),
        say(
            "Links between the archived evidence of drills and runbooks, each with the hash of the one before."
        ),
    )
    if not chain.length:
        return Tile(title, say("None"), say("no drill has been archived yet"), "", definition)
    if chain.broken:
        return Tile(
            title, say("{count} broken", count=number(chain.broken)),
            say("of {count} links", count=number(chain.length)), "", definition, "bad",
        )  # fmt: skip
    note = say("links; whole at its last audit") if chain.audited_at else say("links; not audited yet")
    return Tile(title, number(chain.length), note, "", definition, "good" if chain.audited_at else "")


def _service_badge(state: str) -> str:
    look, symbol = (
        ("good", "ok") if state == UP else ("warn", "warning") if state == DEGRADED else ("bad", "bad")
    )
    return f'<span class="badge {look}">{icon(symbol)}{escape(status(state))}</span>'


def _took(began: datetime, ended: datetime | None) -> str:
    return duration((ended - began).total_seconds()) if ended else EMPTY
