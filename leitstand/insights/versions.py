"""Versions compared: how the runs of each version of a flow went."""

from typing import TYPE_CHECKING

from sqlalchemy import func, literal, select

from leitstand.db.models import RunFact
from leitstand.insights.completion import completed_run, still_going
from leitstand.insights.frames import same_seconds
from leitstand.insights.scope import Scope
from leitstand.insights.sources import Source, frame

if TYPE_CHECKING:
    import pandas as pd


def versions(source: Source, scope: Scope) -> "pd.DataFrame":
    """The runs that began in the range by the version of the flow that they began on, the newest version first.

    Returns:
        Columns `version` (None where the source of the events named none), `first_day` and `last_day` (local days on
        which its first and last run of the range began), `viewed`, `started`, `completed`, `rate` (completed ÷
        started; NaN without), `median` (seconds of the completed runs; NaN without), `immature`.
    """
    seconds = func.extract("epoch", RunFact.last_at - RunFact.first_at)
    day = scope.local_day(RunFact.first_at)
    statement = (
        select(
            RunFact.flow_version.label("version"),
            func.min(day).label("first_day"),
            func.max(day).label("last_day"),
            func.count().label("viewed"),
            func.count(RunFact.started_at).label("started"),
            func.count().filter(completed_run()).label("completed"),
            func.percentile_cont(literal(0.5, literal_execute=True))
            .within_group(seconds)
            .filter(completed_run())
            .label("median"),
            func.bool_or(still_going()).label("immature"),
        )
        .where(*scope.runs())
        .group_by(RunFact.flow_version)
        .order_by(RunFact.flow_version.desc().nulls_last())
    )
    found = frame(source, statement)
    found["version"] = found["version"].astype("Int64")
    found["median"] = found["median"].map(same_seconds, na_action="ignore").astype("float64")
    found.insert(6, "rate", found["completed"] / found["started"].where(found["started"] > 0))
    return found
