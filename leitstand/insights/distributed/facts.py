"""The facts of one workspace on a Spark cluster."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import Select

from leitstand.errors import Unavailable
from leitstand.insights.columnar.dialect import Question
from leitstand.insights.columnar.facts import JOINED, bounds_of
from leitstand.insights.copy.snapshots import Snapshot
from leitstand.insights.copy.state import CopyState
from leitstand.insights.distributed.dialect import compiled
from leitstand.insights.distributed.session import Cluster, TooLong, cluster_of, forget
from leitstand.insights.distributed.views import Views, joined_view, views_of
from leitstand.insights.sources import Facts, Rows
from leitstand.settings import Settings

if TYPE_CHECKING:
    import pyarrow as pa


class DistributedFacts(Facts):
    """Answers statements with the cluster; for one thread at a time."""

    def __init__(self, cluster: Cluster, snapshot: Snapshot, state: CopyState, views: Views) -> None:
        self.as_of = snapshot.at
        self.workspace_id = state.workspace_id
        self._cluster = cluster
        self._snapshot = snapshot
        self._bounds = bounds_of(state)
        self._views = views
        self._joined: dict[str, tuple[str, str]] = {}

    def rows(self, statement: Select[Any]) -> Rows:
        return self.answer(self.question(statement))

    def question(self, statement: Select[Any]) -> Question:
        """The statement for the cluster, with the views that it reads."""
        names = compiled(statement, self._bounds, {}).tables
        joined = {table: self._join(table)[0] for table in sorted(names & JOINED.keys())}
        return compiled(statement, self._bounds, self._views.facts | joined)

    def joined(self, question: Question) -> tuple[str, ...]:
        """Hashes of the small tables that a question joins."""
        return tuple(self._join(table)[1] for table in sorted(question.tables & JOINED.keys()))

    def answer(self, question: Question) -> Rows:
        """What a question finds."""
        with giving_up(self._cluster):
            found = self._cluster.collected(question.sql, dict(question.parameters))
        return Rows(question.names, list(zip(*map(_values, found.columns), strict=True)))

    def _join(self, table: str) -> tuple[str, str]:
        if table not in self._joined:
            with giving_up(self._cluster):
                self._joined[table] = joined_view(
                    self._cluster, self._snapshot, self._views, table, self.workspace_id
                )
        return self._joined[table]


def _values(column: "pa.ChunkedArray") -> list[Any]:
    """Instants have no zone there and are UTC here; bytes are ids."""
    import pyarrow as pa

    values: list[Any] = column.to_pylist()
    if pa.types.is_timestamp(column.type):
        return [value and value.replace(tzinfo=UTC) for value in values]
    if pa.types.is_binary(column.type):
        return [value and UUID(bytes=value) for value in values]
    return values


@contextmanager
def giving_up(cluster: Cluster) -> Iterator[None]:
    """A session that failed is not used again: its server may be another one now, which knows nothing of it."""
    try:
        yield
    except TooLong:
        raise
    except Unavailable:
        forget(cluster)
        raise


@contextmanager
def distributed_facts(settings: Settings, snapshot: Snapshot, state: CopyState) -> Iterator[DistributedFacts]:
    """The facts as of the snapshot, for one workspace.

    Raises:
        LeitstandError: a part could not be read from the store, or the cluster failed.
    """
    cluster = cluster_of(settings)
    with giving_up(cluster):
        views = views_of(settings, cluster, snapshot, state)
    yield DistributedFacts(cluster, snapshot, state, views)
