"""Runbook rb020, as `leitstand runbook run objects-lost` runs it, on objects that are really lost."""

import json
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest

from leitstand.backups.operations import run_backup
from leitstand.errors import InvalidInput
from leitstand.runbooks.drills import DrillResult, run_runbook
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


@pytest.mark.parametrize(
    ("changed", "confirmed", "says"),
    [
        ({"plan_sha256": "0" * 64}, "media", "The plan is"),
        ({"decided_by": ""}, "media", "who decided"),
        ({}, "", "not typed"),
        ({}, "another-bucket", "not typed"),
        ({"to_time": "2001-01-01T00:00:00Z"}, "media", "as old as"),
    ],
)
def test_a_real_run_without_plan_decision_or_typed_name_writes_nothing(
    source: Source,
    dry: DrillResult,
    last_good_second: str,
    changed: dict[str, object],
    confirmed: str,
    says: str,
) -> None:
    before = documents(source)
    typed = source.settings.bucket_media if confirmed == "media" else confirmed
    refused = run(source, {**_real(dry, last_good_second), **changed}, typed)
    assert not refused.ok and says in refused.error
    assert documents(source) == before


def _real(dry: DrillResult, instant: str) -> dict[str, object]:
    digest = dry.figures["plan_sha256"]
    what = {"prefix": "documents/", "to_time": instant, "dry_run": False}
    return {**what, "plan_sha256": digest, "decided_by": "Olga Operator"}


def test_a_real_run_needs_an_instant_and_a_selection(source: Source) -> None:
    refused = run(source, {"dry_run": False, "prefix": "documents/"})
    assert not refused.ok and "needs an instant" in refused.error
    with pytest.raises(InvalidInput, match="confirmed"):
        run(source, {"confirmed": "x"})


def test_the_real_run_gets_everything_back_and_may_be_repeated(
    source: Source, dry: DrillResult, last_good_second: str
) -> None:
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
    again = run(source, _real(dry, last_good_second), source.settings.bucket_media)
    assert again.ok and again.figures["written"] == 0


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
