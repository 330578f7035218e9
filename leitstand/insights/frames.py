"""From a statement to a DataFrame."""

from datetime import date
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Select, String, cast, collate, func, text
from sqlalchemy.orm import InstrumentedAttribute, Session

from leitstand.db.models import Item

if TYPE_CHECKING:
    import pandas as pd


# What groups by actors and days would spill to disk with less, at twice the time.
WORK_MEM = "64MB"


def frame(session: Session, statement: Select[Any]) -> "pd.DataFrame":
    """The rows of a statement under its columns' names, empty columns included."""
    import pandas as pd

    session.execute(text(f"SET LOCAL work_mem = '{WORK_MEM}'"))
    result = session.execute(statement)
    return pd.DataFrame(result.fetchall(), columns=list(result.keys()))


def day_span(start: date, end: date) -> "pd.Index[Any]":
    """Every calendar day of [start, end) as `datetime.date`."""
    import pandas as pd

    return pd.Index(pd.date_range(start, end, inclusive="left").date, name="day")


def companion_name() -> ColumnElement[str]:
    """What a companion is called in figures: its name in the imported log, else its title."""
    return func.coalesce(Item.external_key, Item.title)


def by_code_point(column: ColumnElement[str] | InstrumentedAttribute[str]) -> ColumnElement[str]:
    """An order by code point, whatever the database's collation."""
    return collate(cast(column, String), "C")
