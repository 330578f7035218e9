"""Lines of all services are found by their request, once each, through rotation and kills."""

import json
import sqlite3
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from leitstand.cli.logs import group
from leitstand.settings import get_settings
from leitstand.telemetry.context import bound
from leitstand.telemetry.log_store import FIND, LogStore, find_in
from leitstand.telemetry.logs import configure_logging, get_logger

ID = "request-12345678"
CADDY = {"level": "info", "ts": 1790000000.25, "logger": "http.log.access", "status": 200}


def docker(text: str) -> str:
    return json.dumps({"log": text + "\n", "stream": "stderr", "time": "2026-11-28T04:00:00.5Z"}) + "\n"


def container(folder: Path, name: str, *texts: str) -> Path:
    home = folder / f"{name}0123"
    home.mkdir(parents=True, exist_ok=True)
    labels = {"Config": {"Labels": {"com.docker.compose.service": name}}}
    (home / "config.v2.json").write_text(json.dumps(labels))
    path = home / f"{name}0123-json.log"
    with path.open("a") as stream:
        stream.writelines(map(docker, texts))
    return path


@pytest.fixture
def store(tmp_path: Path) -> LogStore:
    found = LogStore(tmp_path / "store" / "logs.sqlite")
    found.prepare()
    return found


def test_a_request_is_found_across_services(
    store: LogStore, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = {}
    for service in ("web", "worker"):
        configure_logging(service)
        with bound(ID):
            get_logger("x").info("at work", password="hush")
        lines[service] = capfd.readouterr().err.splitlines()[-1]
        container(tmp_path / "containers", f"{service}-blue", lines[service], '{"event": "of another"}')
    access = CADDY | {"request": {"uri": "/"}, "resp_headers": {"X-Request-Id": [ID]}}
    container(tmp_path / "containers", "proxy", json.dumps(access), "plain words")
    assert store.collect(tmp_path / "containers") == 6
    found = store.find(ID)
    assert [line.service for line in found] == ["proxy", "web", "worker"]
    assert "hush" not in "".join(line.text for line in found)
    assert find_in(tmp_path / "containers", ID) == found
    monkeypatch.setenv("LEITSTAND_LOG_STORE", str(store.path))
    get_settings.cache_clear()
    try:
        shown = CliRunner().invoke(group, ["--request", ID, "--json"])
        none = CliRunner().invoke(group, ["--request", "unknown-request"])
    finally:
        get_settings.cache_clear()
    assert [line["service"] for line in json.loads(shown.output)] == ["proxy", "web", "worker"]
    assert none.exit_code != 0
    assert store.path.stat().st_mode & 0o077 == 0
    with sqlite3.connect(store.path) as database:
        plan = str(database.execute(f"EXPLAIN QUERY PLAN {FIND}", (ID,)).fetchall())
    assert "line_request" in plan


def test_nothing_is_doubled_or_lost_by_rotation(store: LogStore, tmp_path: Path) -> None:
    folder = tmp_path / "containers"
    path = container(folder, "api", *(json.dumps({"request_id": ID, "n": n}) for n in range(3)))
    assert (store.collect(folder), store.collect(folder)) == (3, 0)
    with path.open("a") as stream:
        stream.write(docker(json.dumps({"request_id": ID, "n": 3})))
        stream.write('{"log": "half of a li')
    assert store.collect(folder) == 1
    with path.open("a") as stream:
        stream.write('ne\\n", "time": "2026-11-28T04:00:00Z"}\n')
    path.rename(path.with_name(path.name + ".1"))
    container(folder, "api", json.dumps({"request_id": ID, "n": 4}))
    assert store.collect(folder) == 2
    assert [json.loads(line.text)["n"] for line in store.find(ID)] == [0, 1, 2, 3, 4]


def test_a_pass_that_is_killed_is_made_again(store: LogStore, tmp_path: Path) -> None:
    folder = tmp_path / "containers"
    container(folder, "api", json.dumps({"request_id": ID}))
    with sqlite3.connect(store.path) as database:
        database.execute(
            "CREATE TRIGGER full BEFORE INSERT ON position BEGIN SELECT RAISE(ABORT, 'killed'); END"
        )
    with pytest.raises(sqlite3.IntegrityError):
        store.collect(folder)
    assert store.find(ID) == []
    with sqlite3.connect(store.path) as database:
        database.execute("DROP TRIGGER full")
    assert store.collect(folder) == 1


def test_old_lines_go_and_so_do_the_oldest_of_too_many(store: LogStore, tmp_path: Path) -> None:
    now, folder = time.time(), tmp_path / "containers"
    ages = [20, *[5] * 400, 0]
    container(
        folder,
        "api",
        *(json.dumps({"ts": now - age * 86_400, "request_id": f"r-{age}", "x": "y" * 500}) for age in ages),
    )
    store.collect(folder)
    store.prune(now)
    assert (len(store.find("r-20")), len(store.find("r-5"))) == (0, 400)
    store.prune(now, most_bytes=100_000)
    assert (0 < len(store.find("r-5")) < 200) and len(store.find("r-0")) == 1
