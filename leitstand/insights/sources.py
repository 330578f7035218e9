"""Where the facts are read from: PostgreSQL, or their columnar copy. A metric is one statement for both.

Every function of `leitstand.insights` takes a `Source`: what `leitstand.insights.opening.open_facts` gives, or a
session, which stands for PostgreSQL.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from psycopg.errors import QueryCanceled
from sqlalchemy import Select, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from leitstand.errors import Unavailable

if TYPE_CHECKING:
    import pandas as pd

# What groups by actors and days would spill to disk with less, at twice the time.
WORK_MEM = "64MB"


class TooSlow(Unavailable):
    """A question took longer than a statement may; the other engine is not asked the same."""

    def __init__(self) -> None:
        super().__init__("The question took too long.", hint="Ask about fewer days or about one companion.")


@dataclass(frozen=True)
class Rows:
    """What a statement found: instants are aware (UTC), ids are UUIDs, whichever engine answered."""

    names: Sequence[str]
    values: Sequence[Sequence[Any]]


class Facts(ABC):
    """The facts of one workspace, complete up to `as_of`."""

    as_of: datetime

    @abstractmethod
    def rows(self, statement: Select[Any]) -> Rows:
        """Everything that a statement over `RunFact`, `ActorBucket`, `Item` and `Companion` finds.

        Raises:
            TooSlow: it took longer than `leitstand.db.engine.STATEMENT_TIMEOUT_MS` (or the session's own limit).
        """


class PostgresFacts(Facts):
    """The facts themselves, in the session's transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.as_of = datetime.now(UTC)

    def rows(self, statement: Select[Any]) -> Rows:
        self._session.execute(text(f"SET LOCAL work_mem = '{WORK_MEM}'"))
        try:
            found = self._session.execute(statement)
        except OperationalError as error:
            if isinstance(error.orig, QueryCanceled):
                raise TooSlow from error
            raise
        return Rows(list(found.keys()), found.fetchall())


Source = Session | Facts


def as_of(source: Source) -> datetime:
    """Up to when what the source answers is complete."""
    return datetime.now(UTC) if isinstance(source, Session) else source.as_of


def rows(source: Source, statement: Select[Any]) -> Rows:
    """The rows of a statement."""
    facts = PostgresFacts(source) if isinstance(source, Session) else source
    return facts.rows(statement)


def frame(source: Source, statement: Select[Any], *, texts: Sequence[str] = ()) -> "pd.DataFrame":
    """The rows of a statement under its columns' names, empty columns included.

    Args:
        texts: columns of texts that are said in the reader's language: they stay what they were made of, which pandas'
            own type of text forgets.
    """
    import pandas as pd

    found = rows(source, statement)
    rows_ = pd.DataFrame(list(map(tuple, found.values)), columns=list(found.names))
    for name in texts:
        place = list(found.names).index(name)
        rows_[name] = pd.Series([values[place] for values in found.values], dtype=object)
    return rows_


def row(source: Source, statement: Select[Any]) -> Sequence[Any]:
    """The one row of a statement."""
    (only,) = rows(source, statement).values
    return only


def column(source: Source, statement: Select[Any]) -> list[Any]:
    """The first column of a statement's rows."""
    return [values[0] for values in rows(source, statement).values]
