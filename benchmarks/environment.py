"""What the benchmarks share: a PostgreSQL of their own, and realistic events (seeded)."""

import os
from pathlib import Path

import numpy as np
from sqlalchemy import Engine

from leitstand.db import migrate
from leitstand.db.cluster import Cluster
from leitstand.db.engine import make_engine
from leitstand.services import POSTGRES
from leitstand.settings import load_settings

SEED, DAYS, COMPANIONS, EVENTS_A_RUN = 7, 180, 200, 5
BEGIN = np.datetime64("2026-01-05T00:00:00", "s")
STEPS = np.array(["welcome", "goal", "details", "upload", "review", "feedback", "done"])


def columns(events: int) -> dict[str, np.ndarray]:
    """The columns of so many events, ordered by time."""
    random = np.random.default_rng(SEED)
    runs = max(events // EVENTS_A_RUN, 1)
    length = np.minimum(random.geometric(1 / EVENTS_A_RUN, runs), len(STEPS))
    length = np.resize(length, runs)
    week = np.array([1.2, 1.2, 1.1, 1.1, 1.0, 0.5, 0.4])
    weights = np.resize(week, DAYS) / np.resize(week, DAYS).sum()
    start = random.choice(DAYS, runs, p=weights) * 86_400 + (random.beta(3, 3, runs) * 86_400).astype(
        np.int64
    )
    companion = np.minimum(random.zipf(1.3, runs), COMPANIONS)
    actor = random.zipf(1.2, runs) % (runs // 4 + 1)
    run = np.repeat(np.arange(runs), length)
    place = np.arange(len(run)) - np.repeat(np.cumsum(length) - length, length)
    at = start[run] + place * random.integers(5, 240, len(run))
    order = np.argsort(at, kind="stable")
    run, place, at = run[order], place[order], at[order]
    return {"run": run, "place": place, "at": at, "companion": companion[run], "actor": actor[run]}


def prepare(folder: Path, port: int) -> tuple[Cluster, Engine]:
    """A PostgreSQL as `./run up` configures it, migrated and empty but for what an earlier run left."""
    os.environ |= {
        "LEITSTAND_DATA_DIR": str(folder / "data"),
        "LEITSTAND_PORT": str(port),
        "LEITSTAND_DATABASE_PASSWORD": "benchmark",
    }
    cluster = Cluster(folder / "data" / "postgres", port + POSTGRES.offset, "benchmark")
    cluster.create()
    cluster.start()
    cluster.prepare("leitstand")
    engine = make_engine(load_settings(), statement_timeout_ms=0)
    migrate.upgrade(engine)
    return cluster, engine
