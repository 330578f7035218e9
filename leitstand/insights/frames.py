"""What several questions share: days, and what companions are called."""

from datetime import date
from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, ColumnElement, String, cast, collate, func
from sqlalchemy.orm import InstrumentedAttribute

from leitstand.db.models import Item

if TYPE_CHECKING:
    import pandas as pd


def day_span(start: date, end: date) -> "pd.Index[Any]":
    """Every calendar day of [start, end) as `datetime.date`."""
    import pandas as pd

    return pd.Index(pd.date_range(start, end, inclusive="left").date, name="day")


def companion_name() -> ColumnElement[str]:
    """What a companion is called in figures: its name in the imported log, else its title."""
    return func.coalesce(Item.external_key, Item.title)


def whole(total: ColumnElement[Any]) -> ColumnElement[Any]:
    """A sum of whole numbers as one, 0 for none: PostgreSQL's are numeric."""
    return cast(func.coalesce(total, 0), BigInteger)


def by_code_point(column: ColumnElement[str] | InstrumentedAttribute[str]) -> ColumnElement[str]:
    """An order by code point, whatever the database's collation."""
    return collate(cast(column, String), "C")


def same_seconds(interpolated: float | None) -> float | None:
    """A percentile of durations without what the engines' ways of interpolating add to it.

    Durations are whole microseconds, so that medians and 95th percentiles lie on twentieths of one, which eight digits hold.
    """
    return None if interpolated is None else round(float(interpolated), 8)
