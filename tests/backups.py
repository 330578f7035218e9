"""Backups made of a few bytes: rows, objects and entries as the real engines leave them, of any age."""

import hashlib
import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine

from leitstand.backups import entries, wal
from leitstand.db.engine import transaction
from leitstand.db.models import Backup
from leitstand.db.models.base import new_id
from leitstand.settings import Settings, get_settings
from leitstand.storage.objects import ObjectStorage

CLUSTER = "7312345678901234567"
SEGMENTS_A_DAY = 3
DAY_ZERO = 1_000


def segment(day: int, number: int = 0) -> str:
    """The name of a segment; `day` counts backwards from today."""
    return wal.segment_of((DAY_ZERO + (400 - day) * SEGMENTS_A_DAY + number) * wal.SEGMENT_BYTES, 1)


@dataclass
class Shelf:
    """A bucket of backups of its own, and the database that has its catalogue."""

    engine: Engine
    settings: Settings

    def __post_init__(self) -> None:
        self.storage = ObjectStorage(self.settings)
        self.ids: list[UUID] = []

    @property
    def bucket(self) -> str:
        return self.settings.bucket_backups

    def put(self, age: float, kind: str = "postgres", *, proven: bool = True, **changes: Any) -> UUID:
        """One complete backup of `age` days; three parts, its manifest, its entry and its row."""
        at = datetime.now(UTC) - timedelta(days=age)
        backup_id = new_id()
        prefix = f"postgres/{CLUSTER}/base/{backup_id}/" if kind == "postgres" else f"{kind}/{backup_id}/"
        keys = [f"{prefix}part-{number:05d}" for number in range(3)]
        for key in keys:
            self.storage.put_bytes(self.bucket, key, b"some of it")
        manifest = {
            "format": 1, "id": str(backup_id), "kind": kind, "engine": "pg_basebackup", "finished_at": at.isoformat(),
            "stored_bytes": 30, "parts": [{"key": key, "bytes": 10, "sha256": ""} for key in keys],
            **(_log_of(int(age)) if kind == "postgres" else {}),
        }  # fmt: skip
        body = json.dumps(manifest).encode()
        self.storage.put_bytes(self.bucket, f"{prefix}manifest.json", body)
        row = Backup(
            id=backup_id, kind=kind, engine="pg_basebackup", status="complete", started_at=at - timedelta(minutes=5), finished_at=at,
            location=f"s3://{self.bucket}/{prefix}", bytes=30, sha256=hashlib.sha256(body).hexdigest(),
            manifest=manifest, verified_at=at if proven else None, **changes,
        )  # fmt: skip
        with transaction(self.engine) as session:
            session.add(row)
        entries.store(self.storage, self.bucket, row)
        return backup_id

    def put_log(self, first_age: int, last_age: int = 0) -> list[str]:
        """Three archived segments a day, and the history of a timeline."""
        names = [segment(day, n) for day in range(first_age, last_age - 1, -1) for n in range(SEGMENTS_A_DAY)]
        for name in [*names, "00000002.history"]:
            self.storage.put_bytes(self.bucket, wal.key(CLUSTER, name), b"log")
        return names

    def log(self) -> list[str]:
        """Names of the archived files."""
        prefix = wal.prefix(CLUSTER)
        keys = [info.key for info in self.storage.list(self.bucket, prefix)]
        return sorted(key.rpartition("/")[2].removesuffix(wal.SUFFIX) for key in keys)

    def row(self, backup_id: UUID) -> Backup:
        with transaction(self.engine) as session:
            return session.get_one(Backup, backup_id)

    def statuses(self, ids: list[UUID]) -> list[str]:
        return [self.row(one).status for one in ids]

    def keys(self, backup_id: UUID) -> list[str]:
        """Objects of a backup, without its entries."""
        found = self.storage.list(self.bucket)
        return [
            info.key for info in found if str(backup_id) in info.key and not info.key.startswith("catalogue/")
        ]

    def empty(self) -> None:
        for info in list(self.storage.list(self.bucket)):
            self.storage.delete(self.bucket, info.key)


def _log_of(age: int) -> dict[str, Any]:
    position = (DAY_ZERO + (400 - age) * SEGMENTS_A_DAY) * wal.SEGMENT_BYTES
    return {
        "system_identifier": CLUSTER, "timeline": 1, "segment_bytes": wal.SEGMENT_BYTES,
        "start_segment": segment(age), "stop_lsn": f"{position >> 32:X}/{(position & 0xFFFFFFFF) + 8:X}",
        "content": {"bytes": 30, "sha256": ""},
    }  # fmt: skip


@pytest.fixture
def shelf(engine: Engine, settings: Settings) -> Iterator[Shelf]:
    """An empty bucket of backups."""
    unique = secrets.token_hex(4)
    own = settings.model_copy(update={"bucket_backups": f"shelf-{unique}"})
    shelf = Shelf(engine, own)
    shelf.storage.ensure_buckets()
    yield shelf
    shelf.empty()


def nights(shelf: Shelf, count: int, *, first: float = 0.1, **changes: Any) -> list[UUID]:
    """A proven backup a night for so many nights, newest first."""
    return [shelf.put(first + age, **changes) for age in range(count)]


@pytest.fixture
def stocked(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shelf]:
    """Eighteen nights, in the bucket that the services look into."""
    monkeypatch.setenv("LEITSTAND_BUCKET_BACKUPS", shelf.bucket)
    get_settings.cache_clear()
    shelf.ids = nights(shelf, 18)
    yield shelf
    get_settings.cache_clear()
