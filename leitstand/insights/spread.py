"""Spread: how much of all there is lies in the last days, for choosing a range worth looking at."""

from collections.abc import Sequence
from datetime import date

from sqlalchemy import func, select

from leitstand.db.models import RunFact
from leitstand.insights.scope import Scope, midnight
from leitstand.insights.sources import Source, row


def runs_since(source: Source, scope: Scope, days: Sequence[date]) -> tuple[int, list[int]]:
    """How many runs there are whatever the range, and how many began on or after each of these local days."""
    since = [func.count().filter(RunFact.first_at >= midnight(day, scope.zone)) for day in days]
    total, *counted = row(source, select(func.count(), *since).where(*scope.of(RunFact)))
    return int(total), [int(number) for number in counted]
