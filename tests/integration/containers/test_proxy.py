"""The door of the containers' proxy that only the machine's own monitoring reaches."""

import os
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from leitstand.settings import REPOSITORY
from tests.services import free_base_port
from tests.waiting import wait_until

CADDY = REPOSITORY / "deploy" / "caddy"


@pytest.fixture
def door(tmp_path: Path) -> Iterator[str]:
    """The proxy with its inner door alone, on a port of its own."""
    port = free_base_port()
    text = (CADDY / "Caddyfile").read_text().partition("{$LEITSTAND_SITE}")[0]
    assert "http://:2019 {" in text
    text = text.replace("http://:2019", f"http://127.0.0.1:{port}").replace(":2020", f":{port + 1}")
    shutil.copy(CADDY / "routes.caddy", tmp_path)
    (tmp_path / "Caddyfile").write_text(text)
    program = str(Path(sys.executable).parent / "caddy")
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [program, "run", "--adapter", "caddyfile", "--config", "Caddyfile"],
            cwd=tmp_path,
            env={**os.environ, "HOME": str(tmp_path)},
            stdout=log,
            stderr=log,
        )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def asked(url: str) -> tuple[int, str]:
    """Status and text; 0 where nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, ""
    except OSError:
        return 0, ""


def test_monitoring_gets_figures_and_health_and_nothing_else(door: str) -> None:
    wait_until(lambda: asked(f"{door}/_proxy/health")[0] == 200, 30)
    status, text = asked(f"{door}/metrics")
    assert status == 200
    assert "caddy_config_last_reload_successful 1" in text
    assert asked(f"{door}/config/")[0] == 404
    assert asked(f"{door}/")[0] == 404
