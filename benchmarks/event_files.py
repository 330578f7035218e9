"""Files of realistic events, seeded: Zipf companions and actors, weekly seasons, 180 days."""

from pathlib import Path

import numpy as np

SEED, DAYS, COMPANIONS, EVENTS_A_RUN = 7, 180, 200, 5
BEGIN = np.datetime64("2026-01-05T00:00:00", "s")
STEPS = np.array(["welcome", "goal", "details", "upload", "review", "feedback", "done"])
COLUMNS = ("session_id", "actor_id", "activity", "timestamp", "seq", "flow_id", "item")
CHUNK = 250_000


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


def lines(made: dict[str, np.ndarray], begin: int, end: int) -> list[tuple[str, ...]]:
    """Some of the events as rows of text."""
    part = {name: values[begin:end] for name, values in made.items()}
    stamps = np.datetime_as_string(BEGIN + part["at"].astype("timedelta64[s]"))
    steps_ = STEPS[part["place"]]
    return [
        (
            f"run-{run}",
            f"visitor-{actor}",
            step,
            f"{stamp}.000+00:00",
            str(place + 1),
            f"companion-{companion}",
            f"page-{place}",
        )
        for run, actor, step, stamp, place, companion in zip(
            part["run"].tolist(),
            part["actor"].tolist(),
            steps_.tolist(),
            stamps.tolist(),
            part["place"].tolist(),
            part["companion"].tolist(),
            strict=True,
        )
    ]


def write_files(folder: Path, events: int) -> tuple[Path, Path, int]:
    """The same events as CSV and as Parquet, and how many they are."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    csv_path, parquet_path = folder / f"events-{events}.csv", folder / f"events-{events}.parquet"
    made = columns(events)
    total = len(made["run"])
    if csv_path.exists() and parquet_path.exists():
        return csv_path, parquet_path, total
    schema = pa.schema([(name, pa.string()) for name in COLUMNS])
    with csv_path.open("w") as file, pq.ParquetWriter(parquet_path, schema) as writer:
        file.write(",".join(COLUMNS) + "\n")
        for begin in range(0, total, CHUNK):
            rows = lines(made, begin, begin + CHUNK)
            file.writelines(",".join(row) + "\n" for row in rows)
            writer.write_table(pa.table(list(map(list, zip(*rows, strict=True))), schema=schema))
    return csv_path, parquet_path, total
