"""Columns that the columnar copy holds beside the facts' own: expressions that it computes once, not for every question.

PostgreSQL computes such an expression; what reads the copy reads the column that the copier filled with the same one. Its value
follows from its row and from rows that are at most `LOOK_BACK` older, so that a change reaches no further.
"""

from datetime import timedelta
from typing import Any

from sqlalchemy import ARRAY, Boolean, ColumnElement, Text, func
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from leitstand.db.models import ActorBucket, RunFact

PAUSE = timedelta(minutes=30)
# What is no pause older than an event of a quarter of an hour lies in that quarter or in one that begins so much earlier.
LOOK_BACK = PAUSE


class Precomputed(FunctionElement[Any]):
    """An expression over a fact's rows; `column` is where the copy has it."""

    column = ""

    def __init__(self, expression: Any) -> None:
        super().__init__(expression)


class StepSet(Precomputed):
    """The set of steps of a run as something to group by: as JSON in the copy, since DuckDB is slow with lists."""

    type = Text()
    inherit_cache = True
    column = f"{RunFact.__tablename__}.step_set"


class BeginsSession(Precomputed):
    """Whether a quarter of an hour begins a session of its actor on its companion."""

    type = Boolean()
    inherit_cache = True
    column = f"{ActorBucket.__tablename__}.begins_session"


class StepsOfSet(FunctionElement[Any]):
    """The steps of a `StepSet`."""

    type = ARRAY(Text)
    inherit_cache = True


def begins_session() -> BeginsSession:
    """For `ActorBucket`: no event of the same actor and companion lies within the pause before the quarter's first.

    A quarter of an hour holds no pause of 30 minutes, so pauses lie between one quarter's last event and the next
    one's first.
    """
    of_actor = ActorBucket.companion_id, ActorBucket.actor_key
    earlier = func.lag(ActorBucket.last_at).over(partition_by=of_actor, order_by=ActorBucket.bucket)
    return BeginsSession(func.coalesce(ActorBucket.first_at - earlier > PAUSE, True))


def precomputed(fact: type[RunFact] | type[ActorBucket]) -> dict[str, ColumnElement[Any]]:
    """By column of the copy, what the copier asks PostgreSQL for."""
    if fact is ActorBucket:
        return {"begins_session": begins_session()}
    return {"step_set": func.array_to_json(RunFact.steps).cast(Text)}


@compiles(Precomputed)
def _computed(element: Precomputed, compiler: Any, **options: Any) -> str:
    (expression,) = element.clauses
    return str(compiler.process(expression, **options))


@compiles(Precomputed, "duckdb", "spark")
def _read(element: Precomputed, compiler: Any, **options: Any) -> str:
    return element.column


@compiles(StepsOfSet)
def _steps(element: StepsOfSet, compiler: Any, **options: Any) -> str:
    (steps,) = element.clauses
    return str(compiler.process(steps, **options))


@compiles(StepsOfSet, "duckdb")
def _steps_of_json(element: StepsOfSet, compiler: Any, **options: Any) -> str:
    return f"from_json({compiler.process(element.clauses, **options)}, '[\"VARCHAR\"]')"


@compiles(StepsOfSet, "spark")
def _steps_in_the_cluster(element: StepsOfSet, compiler: Any, **options: Any) -> str:
    return f"from_json({compiler.process(element.clauses, **options)}, 'ARRAY<STRING>')"
