"""Who asks how far the archived log goes sees pgBackRest's as well as our own."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from leitstand.backups.engines import own_tools
from leitstand.backups.pgbackrest import repository
from leitstand.embedded import restore_history
from leitstand.embedded.rebuild import runbook
from leitstand.embedded.rebuild.runbook import RebuildEnvironment
from leitstand.settings import Settings
from leitstand.storage.objects import ObjectStorage

SEGMENT = "0000000100000002000000FE"
AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
OURS = f"postgres/71/wal/{SEGMENT}.zst.age"
THEIRS = f"postgres/71/pgbackrest/key/archive/leitstand/18-1/0000000100000002/{SEGMENT}-{'a' * 40}.zst"


class Store:
    """One archived segment."""

    def __init__(self, settings: Settings, key: str) -> None:
        self.settings, self.key = settings, key

    def list(self, _: str, prefix: str) -> Iterator[Any]:
        if self.key.startswith(prefix):
            yield SimpleNamespace(key=self.key, modified=AT, bytes=1)


@pytest.fixture(params=["pg_basebackup", "pgbackrest"])
def manifest(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> dict[str, Any]:
    store = Store(Settings(data_dir=tmp_path), OURS if request.param == "pg_basebackup" else THEIRS)
    for module in (own_tools, repository, runbook):
        monkeypatch.setattr(module, "ObjectStorage", lambda _: store)
    earlier = (AT - timedelta(hours=1)).isoformat()
    return {
        "id": "b",
        "engine": request.param,
        "system_identifier": "71",
        "finished_at": earlier,
        "at": store,
    }


def test_a_restore_sees_how_far_it_goes(manifest: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    store = cast(ObjectStorage, manifest["at"])
    monkeypatch.setattr(restore_history, "database_now", lambda _: "DOES NOT ANSWER")
    said = restore_history.reached(store.settings, store, manifest, AT - timedelta(minutes=1))
    assert said == "archived until 2026-03-01 12:00:00 UTC"
    monkeypatch.setattr(restore_history, "usable_entries", lambda *_: [manifest])
    log = restore_history.newest_backups(store.settings, store)[1:]
    assert log == [{"what": "log", "at": "2026-03-01T12:00:00", "is": SEGMENT}]


def test_a_rebuild_sees_when_the_old_server_wrote_last(manifest: dict[str, Any]) -> None:
    made = RebuildEnvironment.__new__(RebuildEnvironment)
    made.rebuild = cast(Any, SimpleNamespace(origin=manifest["at"].settings))
    made.manifest = manifest
    assert made._log_stored_at() == AT
