"""Prometheus metrics that are read from the database whenever they are asked for."""

from abc import abstractmethod
from collections.abc import Callable, Iterable
from functools import lru_cache

from prometheus_client import REGISTRY, Metric
from prometheus_client.registry import Collector
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from leitstand.db.engine import get_engine, transaction


class DatabaseCollector(Collector):
    """Figures of the database; a feature gives its own by `families`.

    Args:
        engine: the process's own when omitted.
    """

    def __init__(self, engine: Engine | None = None) -> None:
        self.engine = engine

    @abstractmethod
    def families(self, session: Session) -> Iterable[Metric]:
        """The figures of now, asked in this transaction."""

    def describe(self) -> Iterable[Metric]:
        """No families: so that registering it asks the database nothing."""
        return []

    def collect(self) -> Iterable[Metric]:
        """The figures of now; none while the database does not answer: an alert is raised for their absence."""
        try:
            with transaction(self.engine or get_engine()) as session:
                return list(self.families(session))
        except SQLAlchemyError:
            return []


@lru_cache(maxsize=8)
def install(*kinds: Callable[[], Collector]) -> None:
    """Add figures to this process's metrics, once."""
    for kind in kinds:
        REGISTRY.register(kind())
