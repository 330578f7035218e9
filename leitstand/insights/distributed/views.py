"""Views in the cluster's session: clean days of a workspace from the copy's parts, changed days as PostgreSQL has them now."""

import hashlib
import itertools
import threading
import weakref
from collections import OrderedDict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from leitstand.insights.columnar import files
from leitstand.insights.columnar.facts import JOINED
from leitstand.insights.copy.facts import FACTS, Fact, stretches
from leitstand.insights.copy.snapshots import Snapshot
from leitstand.insights.copy.state import CopyState
from leitstand.insights.distributed.dialect import type_name
from leitstand.insights.distributed.session import Cluster
from leitstand.insights.precomputed import precomputed
from leitstand.settings import Settings

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame

# Workspaces whose views are kept; those of one that is not among them are made again.
KEPT = 16
_numbers = itertools.count(1)
_lock = threading.Lock()


class Views:
    """The views of one state of a workspace's facts; they are dropped when nobody holds this any more.

    Args:
        version: the state.
    """

    def __init__(self, cluster: Cluster, workspace_id: UUID, version: tuple[int, ...]) -> None:
        self.version = version
        self.facts: dict[str, str] = {}
        self._cluster = cluster
        self._workspace = workspace_id.hex
        self._joined: dict[tuple[str, str], str] = {}
        self._made: list[str] = []
        weakref.finalize(self, cluster.dropped, self._made).atexit = False

    def add(self, fact: Fact, paths: list[Path], days: str, changed: "pa.Table") -> None:
        """Make the view of a fact.

        Args:
            paths: its parts, as every worker sees them.
            days: the condition that leaves out their changed days.
            changed: the rows of those days.
        """
        rows = self._frame(fact.plain(changed))
        if paths:
            types = {it.name: it.type for it in fact.model.__table__.columns}
            types |= {name: it.type for name, it in precomputed(fact.model).items()}
            schema = ", ".join(f"{name} {type_name(types[name])}" for name in fact.columns)
            listed = [f"file://{path}" for path in paths]
            rows = self._cluster.spark.read.schema(schema).parquet(*listed).where(days).unionByName(rows)
        self.facts[fact.table] = self._view(
            fact.table, rows.selectExpr(f"X'{self._workspace}' AS workspace_id", *fact.columns)
        )

    def join(self, table: str, rows: "pa.Table") -> tuple[str, str]:
        """Make the view of a small table, once for the same rows.

        Returns:
            Its name, and the hash of what it holds.
        """
        digest = hashlib.sha256(repr(rows.to_pylist()).encode()).hexdigest()
        with _lock:
            name = self._joined.get((table, digest))
        if name is None:
            name = self._view(table, self._frame(rows))
            self._joined[table, digest] = name
        return name, digest

    def _frame(self, rows: "pa.Table") -> "DataFrame":
        from pyspark.sql.pandas.types import from_arrow_schema

        plain = _plain(rows)
        schema = from_arrow_schema(plain.schema, prefer_timestamp_ntz=True)
        # Spark would guess the columns of a table without rows.
        return self._cluster.spark.createDataFrame(plain if plain.num_rows else [], schema)

    def _view(self, table: str, rows: "DataFrame") -> str:
        name = f"{table}_{self._workspace}_{next(_numbers)}"
        rows.createTempView(name)
        self._made.append(name)
        return name


def _plain(rows: "pa.Table") -> "pa.Table":
    """Ids as 16 bytes of no other type."""
    import pyarrow as pa

    def plain(kind: Any) -> Any:
        return pa.binary() if isinstance(kind, (pa.UuidType, pa.FixedSizeBinaryType)) else kind

    fixed = [pa.field(it.name, pa.binary(16) if plain(it.type) != it.type else it.type) for it in rows.schema]
    return rows.cast(pa.schema(fixed)).cast(pa.schema([(it.name, plain(it.type)) for it in fixed]))


def views_of(settings: Settings, cluster: Cluster, snapshot: Snapshot, state: CopyState) -> Views:
    """The views of a state, made once for everyone of this process who asks about it.

    Raises:
        LeitstandError: a part could not be read from the store, or the cluster failed.
    """
    kept: OrderedDict[UUID, Views] = cluster.kept
    with _lock:
        known = kept.get(state.workspace_id)
    if known is not None and known.version == state.version:
        return known
    files.check_size(settings, state.parts.values())
    fresh = Views(cluster, state.workspace_id, state.version)
    shared = settings.insights_distributed_folder
    folder = Path(shared) if shared else files.folder_of(settings)
    for fact in FACTS:
        paths = files.fetch(settings, state.parts[fact.name], folder.absolute())
        days = stretches(state.days(fact))
        changed = snapshot.table(fact.select(state.workspace_id, days, ordered=False))
        clean = " AND ".join(["true", *(f"NOT {fact.between(*stretch)}" for stretch in days)])
        cluster.within_limit(partial(fresh.add, fact, paths, clean, changed))
    with _lock:
        kept[state.workspace_id] = fresh
        kept.move_to_end(state.workspace_id)
        while len(kept) > KEPT:
            kept.popitem(last=False)
    return fresh


def joined_view(
    cluster: Cluster, snapshot: Snapshot, views: Views, table: str, workspace: UUID
) -> tuple[str, str]:
    """The view of a small table as the snapshot has it, and the hash of what it holds."""
    rows = snapshot.table(JOINED[table].format(workspace=workspace))
    return cluster.within_limit(lambda: views.join(table, rows))
