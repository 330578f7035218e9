"""Whether a copy holds what the facts are, day by day: sums over what its parts really contain."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import DateTime, select
from sqlalchemy.orm import Session

from leitstand.db.models import FactCopy
from leitstand.insights.columnar import engine, files
from leitstand.insights.copy.facts import ACTORS, FACTS, RUNS, Fact
from leitstand.insights.copy.snapshots import Snapshot, snapshot
from leitstand.insights.copy.state import CopyState, read_state
from leitstand.settings import Settings

# Numbers and texts of each fact that are summed, beside its instants; a column's name stands for {}.
NUMBERS = {
    RUNS.name: (
        "events",
        "flow_version",
        "first_seq",
        "length(actor_key)",
        "length(run_key)",
        "length(step_set)",
    ),
    ACTORS.name: ("events", "length(actor_key)", "begins_session::int"),
}
LISTS = {RUNS.name: ("steps", "step_at"), ACTORS.name: ()}


@dataclass(frozen=True)
class Difference:
    """A UTC day on which a copy's rows are not the fact's; the sums of both, None where one has no row."""

    workspace_id: UUID
    fact: str
    day: str
    copy: tuple[Any, ...] | None
    facts: tuple[Any, ...] | None


def copied_workspaces(session: Session) -> list[UUID]:
    """The workspaces that have a copy."""
    return list(session.scalars(select(FactCopy.workspace_id).order_by(FactCopy.workspace_id)))


def differences(settings: Settings, workspace_id: UUID) -> list[Difference]:
    """The days on which a workspace's copy is not what its facts are; days that changed since are no copy's.

    Raises:
        LeitstandError: a part could not be read from the store.
    """
    with snapshot(settings, timeout_ms=0) as view:
        state = read_state(view, workspace_id)
        return [found for fact in FACTS for found in _of(settings, view, state, fact)] if state else []


def _of(settings: Settings, view: Snapshot, state: CopyState, fact: Fact) -> Iterator[Difference]:
    changed = {str(day) for day in state.days(fact)}
    copied = {day: sums for day, *sums in _copied(settings, state, fact) if day not in changed}
    known = {day: sums for day, *sums in view.rows(_known(state, fact)) if day not in changed}
    for day in sorted(copied.keys() | known.keys()):
        ours, theirs = copied.get(day), known.get(day)
        if ours != theirs:
            yield Difference(
                state.workspace_id,
                fact.name,
                day,
                tuple(ours) if ours else None,
                tuple(theirs) if theirs else None,
            )


def _copied(settings: Settings, state: CopyState, fact: Fact) -> list[tuple[Any, ...]]:
    paths = [str(path) for path in files.fetch(settings, state.parts[fact.name])]
    if not paths:
        return []
    sums = ", ".join(f"{_sum}::VARCHAR" for _sum in _sums(fact, "epoch_us({})", "len({})"))
    query = f"SELECT CAST({fact.at} AS DATE)::VARCHAR, {sums} FROM read_parquet(?) GROUP BY 1"  # noqa: S608 - our own names
    cursor = engine.cursor(settings)
    try:
        return cursor.execute(query, [paths]).fetchall()
    finally:
        cursor.close()


def _known(state: CopyState, fact: Fact) -> str:
    instant = "(extract(epoch FROM {}) * 1000000)::bigint"
    sums = ", ".join(f"({_sum})::text" for _sum in _sums(fact, instant, "cardinality({})"))
    return (
        f"SELECT ({fact.at} AT TIME ZONE 'UTC')::date::text, {sums}"  # noqa: S608 - our own names
        f" FROM ({fact.select(state.workspace_id)}) AS known GROUP BY 1"
    )


def _sums(fact: Fact, instant: str, length: str) -> list[str]:
    """What must be equal of a day: how many rows, how many values of each column, and their sums."""
    instants = [it.name for it in fact.model.__table__.columns if isinstance(it.type, DateTime)]
    numbers = [*NUMBERS[fact.name], *map(instant.format, instants), *map(length.format, LISTS[fact.name])]
    return [
        "count(*)",
        *(f"count({name})" for name in fact.columns),
        *(f"sum({number})" for number in numbers),
    ]
