"""Ten million realistic events (seeded): as rows of the ledger in PostgreSQL, with their facts, and as Parquet.

Zipf companions and actors, weekly seasons, a peak at midday, 180 days; five workspaces, the largest with 46 % of the runs.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import duckdb
import numpy as np
import pandas as pd
from psycopg import sql
from sqlalchemy import Engine, func, select, text
from sqlalchemy.orm import Session

from benchmarks.event_files import BEGIN, EVENTS_A_RUN, STEPS, columns
from leitstand.db.models import Event
from leitstand.db.models.base import new_id
from leitstand.events import facts
from leitstand.events.companions import ensure_companions
from leitstand.events.partitions import ensure_partitions
from leitstand.identity.workspaces import ensure_workspace

SEED = 11
SHARES = (0.46, 0.25, 0.15, 0.09, 0.05)
ZONE = "Europe/Berlin"
FUNNEL = [str(step) for step in STEPS]
CHUNK = 4 << 20
# A run is cut at the last step: fewer events than `columns` is asked for.
MEAN_EVENTS = sum((1 - 1 / EVENTS_A_RUN) ** place for place in range(len(STEPS)))
# The columns of the ledger that both stores have; the rest has its default.
COLUMNS = (
    "workspace_id", "event_id", "kind", "companion_id", "run_key", "step", "seq", "actor_key", "occurred_at",
    "received_at", "source", "content_hash",
)  # fmt: skip
EVENTS = """
SELECT workspace_id, (lpad(to_hex(epoch_ms(moment)), 12, '0') || '7' || code[1:3] || '8' || code[4:18])::UUID AS event_id,
       'answered' AS kind, companion_id, 'run-' || run AS run_key, step, (place + 1)::INTEGER AS seq,
       'visitor-' || actor AS actor_key, moment AS occurred_at, moment AS received_at, 'benchmark' AS source,
       (hash(code) >> 1)::BIGINT AS content_hash
FROM (SELECT *, made_at::TIMESTAMPTZ AS moment, md5(run || '/' || place) AS code FROM made JOIN known USING (workspace, companion))
ORDER BY workspace_id, occurred_at
"""


@dataclass(frozen=True)
class Dataset:
    """What there is to ask about.

    Args:
        workspace_id: the largest workspace.
        companion_id: its most used companion.
        events: of all workspaces.
        largest: events of the largest one.
        parquet: all of them as a file, ordered by workspace and time.
    """

    workspace_id: UUID
    companion_id: UUID
    events: int
    largest: int
    parquet: Path


def make(engine: Engine, folder: Path, events: int) -> Dataset:
    """Make about so many events and their facts in an empty database; what an earlier call made is used again.

    Raises:
        SystemExit: the folder has other events, or some that were half made.
    """
    kept, wanted = folder / "dataset.json", {"events": events, "seed": SEED}
    parquet = folder / f"events-{events}.parquet"
    if not kept.exists():
        if _count(engine, None):
            raise SystemExit(f"error: {folder} was left half made; remove it and start again")
        known = _made(engine, parquet, events)
        largest = known.loc[(known["workspace"] == 0) & (known["companion"] == 1)].iloc[0]
        kept.write_text(
            json.dumps(wanted | {name: largest[name] for name in ("workspace_id", "companion_id")})
        )
    found = json.loads(kept.read_text())
    if any(found[name] != value for name, value in wanted.items()):
        raise SystemExit(
            f"error: {folder} has {found['events']:,} events; name that number, or another folder"
        )
    workspace_id, companion_id = UUID(found["workspace_id"]), UUID(found["companion_id"])
    return Dataset(workspace_id, companion_id, _count(engine, None), _count(engine, workspace_id), parquet)


def _made(engine: Engine, parquet: Path, events: int) -> pd.DataFrame:
    """Make everything; the companions (see `_catalogue`)."""
    made = columns(round(events * EVENTS_A_RUN / MEAN_EVENTS))
    known = _catalogue(engine, np.unique(made["companion"]))
    _write(parquet, _frame(made), known)
    _load(engine, parquet)
    for workspace_id in known["workspace_id"].unique():
        _keep_facts(engine, UUID(workspace_id))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))
    return known


def _catalogue(engine: Engine, numbers: "np.ndarray") -> pd.DataFrame:
    """Workspaces and companions: `workspace` (place in SHARES), `companion` (number), and the id of each as text."""
    rows = []
    with Session(engine) as session, session.begin():
        for place in range(len(SHARES)):
            workspace = ensure_workspace(session, slug=f"benchmark-{place}", zone=ZONE)
            keys = {f"companion-{number}": number for number in numbers.tolist()}
            found = ensure_companions(
                session,
                workspace_id=workspace.id,
                keys=keys,
                log_id=new_id(),
                end_steps=FUNNEL[-1:],
                funnel=FUNNEL,
            )
            rows += [(place, keys[key], str(workspace.id), str(item_id)) for key, item_id in found.items()]
    return pd.DataFrame(rows, columns=["workspace", "companion", "workspace_id", "companion_id"])


def _frame(made: dict[str, "np.ndarray"]) -> pd.DataFrame:
    runs = int(made["run"].max()) + 1
    workspace = np.random.default_rng(SEED).choice(len(SHARES), runs, p=SHARES)
    plain = {name: made[name] for name in ("run", "place", "companion", "actor")}
    step = pd.Categorical.from_codes(made["place"], categories=FUNNEL)
    at = (BEGIN + made["at"].astype("timedelta64[s]")).astype("datetime64[us]")
    return pd.DataFrame(plain | {"workspace": workspace[made["run"]], "step": step, "made_at": at})


def _write(path: Path, made: pd.DataFrame, known: pd.DataFrame) -> None:
    ids = known.assign(**{name: known[name].astype("string") for name in ("workspace_id", "companion_id")})
    with duckdb.connect(config={"temp_directory": str(path.parent / "spill")}) as database:
        database.execute("SET TimeZone = 'UTC'")
        database.register("made", made)
        database.register("named", ids)
        database.execute(
            "CREATE VIEW known AS SELECT * REPLACE (workspace_id::UUID AS workspace_id, companion_id::UUID AS companion_id) FROM named"
        )
        database.execute(f"COPY ({EVENTS}) TO '{path}' (FORMAT parquet, COMPRESSION zstd)")


def _load(engine: Engine, parquet: Path) -> None:
    """The file into the ledger, as text through COPY."""
    text_file = parquet.with_suffix(".csv")
    with duckdb.connect() as database:
        database.execute("SET TimeZone = 'UTC'")
        months = database.execute(
            f"SELECT any_value(event_id) FROM '{parquet}' GROUP BY date_trunc('month', occurred_at)"
        ).fetchall()
        database.execute(f"COPY (FROM '{parquet}') TO '{text_file}' (FORMAT csv, HEADER false)")
    ensure_partitions(engine, [month for (month,) in months])
    names = sql.SQL(", ").join(map(sql.Identifier, COLUMNS))
    with engine.connect() as connection, text_file.open("rb") as file:
        cursor = connection.connection.cursor()
        with cursor.copy(sql.SQL("COPY event ({}) FROM STDIN (FORMAT csv)").format(names)) as copy:
            while block := file.read(CHUNK):
                copy.write(block)
        # A planner that knows nothing of so many rows joins each with each.
        cursor.execute("ANALYZE event")
        connection.connection.commit()
    text_file.unlink()


def _keep_facts(engine: Engine, workspace_id: UUID) -> None:
    with Session(engine) as session, session.begin():
        for log_id in facts.logs(session, workspace_id=workspace_id):
            facts.rebuild(session, workspace_id=workspace_id, log_id=log_id)


def _count(engine: Engine, workspace_id: UUID | None) -> int:
    counted = select(func.count()).select_from(Event)
    if workspace_id is not None:
        counted = counted.where(Event.workspace_id == workspace_id)
    with Session(engine) as session:
        return int(session.execute(counted).scalar_one())
