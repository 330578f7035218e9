"""Runbook rb020, as `leitstand runbook run objects-lost` runs it, on objects that are really lost."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from leitstand.backups.operations import run_backup
from leitstand.errors import InvalidInput, PreconditionFailed
from leitstand.runbooks import objects_lost
from leitstand.runbooks.drills import DrillResult, run_runbook
from leitstand.runbooks.objects_lost import ObjectsRestore
from leitstand.runbooks.taking_up import CONFIRMED, TakenUp
from leitstand.settings import REPOSITORY
from tests.source import Source

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
NAME = "objects-lost"
CONTENTS = {f"documents/{number}": f"text {number}".encode() for number in range(12)}


@pytest.fixture(scope="module")
def last_good_second(source: Source) -> str:
    """Every document is there and copied; then half are deleted, two are overwritten and one is new."""
    storage, media = source.storage, source.settings.bucket_media
    for key, content in CONTENTS.items():
        storage.put_bytes(media, key, content)
    run_backup(source.engine, source.settings, "objects")
    time.sleep(1.2)
    instant = datetime.now(UTC).isoformat()
    time.sleep(1.2)
    for key in list(CONTENTS)[:6]:
        storage.delete(media, key)
        if key.endswith("0"):
            for info in list(storage.list_versions(media, key)):
                storage.delete(media, key, version=info.version)
    for key in list(CONTENTS)[6:8]:
        storage.put_bytes(media, key, b"overwritten")
    storage.put_bytes(media, "documents/new", b"came later")
    return instant


def run(source: Source, parameters: dict[str, object], confirmed: str = "") -> DrillResult:
    return run_runbook(source.engine, source.settings, NAME, parameters, confirmed=confirmed)


def documents(source: Source) -> dict[str, bytes]:
    media = source.settings.bucket_media
    return {
        info.key: source.storage.get_bytes(media, info.key)
        for info in source.storage.list(media, "documents/")
    }


@pytest.fixture(scope="module")
def dry(source: Source, last_good_second: str) -> DrillResult:
    return run(source, {"prefix": "documents/", "to_time": last_good_second})


def test_a_dry_run_shows_the_plan_and_writes_nothing(source: Source, dry: DrillResult) -> None:
    assert dry.ok, dry.error
    plan = dry.figures["plan"]
    assert (plan["write"], plan["replace"], plan["same"], plan["newer"]) == (6, 2, 4, 1)
    assert len(documents(source)) == 7
    place = urlsplit(dry.html)
    page = source.storage.get_bytes(place.netloc, place.path.lstrip("/")).decode()
    assert dry.figures["plan_sha256"] in page and "dry_run=false" in page


@pytest.fixture
def restore(
    source: Source, last_good_second: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ObjectsRestore]:
    """A real run, taken up in this process, up to its plan; the target's name was typed."""
    work = TakenUp(source.settings, source.engine, tmp_path, False, ExitStack())
    (tmp_path / CONFIRMED).write_text(source.settings.bucket_media)
    monkeypatch.setattr(objects_lost, "take_up", lambda _: work)
    restore = ObjectsRestore.begin(prefix="documents/", to_time=last_good_second, dry_run=False)
    restore.plan()
    yield restore
    restore.finish()


@pytest.mark.parametrize(
    ("changed", "typed", "says"),
    [
        ({"plan_sha256": "0" * 64}, "", "The plan is"),
        ({"decided_by": ""}, "", "who decided"),
        ({}, "another-bucket", "not typed"),
    ],
)
def test_without_the_plan_a_decision_or_the_name_nothing_goes_on(
    restore: ObjectsRestore, dry: DrillResult, changed: dict[str, str], typed: str, says: str
) -> None:
    if typed:
        (restore.work.folder / CONFIRMED).write_text(typed)
    given = {"plan_sha256": dry.figures["plan_sha256"], "decided_by": "Olga Operator", **changed}
    with pytest.raises(PreconditionFailed, match=says):
        restore.confirm(**given)


def test_what_happened_is_shown_by_minute(source: Source, restore: ObjectsRestore) -> None:
    table = restore.situation()
    found = table.groupby("what")["objects"].sum()
    history = list(source.storage.list_history(source.settings.bucket_media))
    assert found["deleted"] == sum(info.deleted for info in history) >= 6
    assert found.sum() == len(history) and table["first at"].str.len().eq(8).all()


def test_with_them_it_goes_on(restore: ObjectsRestore, dry: DrillResult) -> None:
    restore.confirm(plan_sha256=dry.figures["plan_sha256"], decided_by="Olga Operator")
    assert restore.failures == []


@pytest.mark.long
def test_a_real_run_whose_name_was_not_typed_writes_nothing(
    source: Source, dry: DrillResult, last_good_second: str
) -> None:
    before = documents(source)
    refused = run(source, _real(dry, last_good_second))
    assert not refused.ok and "not typed" in refused.error
    assert documents(source) == before


def _real(dry: DrillResult, instant: str) -> dict[str, object]:
    digest = dry.figures["plan_sha256"]
    what = {"prefix": "documents/", "to_time": instant, "dry_run": False}
    return {**what, "plan_sha256": digest, "decided_by": "Olga Operator"}


def test_a_real_run_needs_an_instant_and_a_selection(source: Source) -> None:
    for given in ({"prefix": "documents/"}, {"to_time": "2026-01-01T00:00:00Z"}):
        with pytest.raises(InvalidInput, match="needs an instant"):
            ObjectsRestore.begin(dry_run=False, **given)  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="confirmed"):
        run(source, {"confirmed": "x"})


def test_the_real_run_gets_everything_back(source: Source, dry: DrillResult, last_good_second: str) -> None:
    argv = [sys.executable, "-m", "leitstand", "runbook", "run", NAME, "--json"]
    argv += ["--yes", source.settings.bucket_media]
    for name, value in _real(dry, last_good_second).items():
        argv += ["-p", f"{name}={str(value).lower() if isinstance(value, bool) else value}"]
    done = subprocess.run(
        argv, cwd=REPOSITORY, env=source.environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr + done.stdout
    result: dict[str, Any] = json.loads(done.stdout)
    assert (result["figures"]["written"], result["figures"]["verified"]) == (8, 8)
    assert documents(source) == {**CONTENTS, "documents/new": b"came later"}


def test_it_may_be_repeated(restore: ObjectsRestore, dry: DrillResult) -> None:
    restore.confirm(plan_sha256=dry.figures["plan_sha256"], decided_by="Olga Operator")
    restore.restore()
    restore.check()
    assert restore.failures == [] and restore.evidence.figures["written"] == 0


def test_the_way_back_it_names_brings_back_what_it_replaced(
    source: Source, dry: DrillResult, last_good_second: str
) -> None:
    """To the instant before the real run, as its last table says."""
    from leitstand.backups.object_restore import Selection, execute_restore, plan_restore

    versions = list(source.storage.list_versions(source.settings.bucket_media, "documents/6"))
    restored = next(info.modified for info in versions if info.latest)
    plan = plan_restore(
        source.settings,
        selection=Selection(frozenset({"documents/6"})),
        to_time=restored - timedelta(seconds=1),
        target=source.settings.bucket_media,
    )
    execute_restore(source.settings, plan)
    assert documents(source)["documents/6"] == b"overwritten"
