"""Prometheus and Alertmanager as processes, with our rules and routes: what is down is told to a webhook."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from leitstand.health.watching import DEPLOY, configure
from leitstand.settings import Settings
from tests.receiver import Receiver, receiver
from tests.services import free_base_port
from tests.waiting import wait_until

__all__ = ["receiver"]
PROGRAMS = "prometheus", "prometheus-alertmanager"
pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, PROGRAMS)), reason="Prometheus and Alertmanager are not installed here"
)
WAITS = {"group_wait": "0s", "group_interval": "1s", "repeat_interval": "1h"}


def hurried(text: str) -> str:
    """The same routes and rules without their patience."""
    for name, value in WAITS.items():
        text = re.sub(rf"{name}: \w+", f"{name}: {value}", text)
    return re.sub(r"\bfor: \w+", "for: 0s", text)


@pytest.fixture
def watched(settings: Settings, tmp_path: Path, receiver: Receiver) -> Iterator[Path]:
    """Both run; of our services only what listens on the receiver's port answers."""
    port = free_base_port()
    told = settings.model_copy(
        update={
            "alert_webhook_url": type(settings.alert_webhook_url)(f"{receiver.url}/page"),
            "dead_mans_switch_url": type(settings.dead_mans_switch_url)(f"{receiver.url}/alive"),
        }
    )
    configure(told, tmp_path)
    (tmp_path / "alertmanager.yml").write_text(hurried((tmp_path / "alertmanager.yml").read_text()))
    (tmp_path / "rules").mkdir()
    for path in (DEPLOY / "prometheus" / "rules").glob("*.yml"):
        (tmp_path / "rules" / path.name).write_text(hurried(path.read_text()))
    target = receiver.url.removeprefix("http://")
    # Without it PostgreSQL counts as down, which stands for whatever else is.
    receiver.body, receiver.headers = b"pg_up 1\n", {"Content-Type": "text/plain; version=0.0.4"}
    config = {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s",
                   "external_labels": {"site": "https://leitstand.example", "environment": "test"}},
        "rule_files": ["rules/*.yml"],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{port + 1}"]}]}]},
        "scrape_configs": [{"job_name": "leitstand", "static_configs": [
            {"targets": [target], "labels": {"service": "api", "colour": "blue"}},
            {"targets": ["127.0.0.1:1"], "labels": {"service": "api", "colour": "green"}},
            {"targets": ["127.0.0.1:2"], "labels": {"service": "web", "colour": "blue"}},
        ]}],
    }  # fmt: skip
    (tmp_path / "prometheus.yml").write_text(json.dumps(config))
    commands = (
        ["prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=data", "--rules.alert.resend-delay=1s",
         f"--web.listen-address=127.0.0.1:{port}"],
        ["prometheus-alertmanager", "--config.file=alertmanager.yml", "--storage.path=alerts",
         f"--web.listen-address=127.0.0.1:{port + 1}", "--cluster.listen-address="],
    )  # fmt: skip
    with ExitStack() as stack:
        for command in commands:
            log = stack.enter_context((tmp_path / f"{command[0]}.log").open("wb"))
            process = subprocess.Popen(command, cwd=tmp_path, stdout=log, stderr=log)
            stack.callback(process.wait)
            stack.callback(process.kill)
        yield tmp_path


def alerts(
    receiver: Receiver, path: str, service: str | None = None
) -> dict[tuple[str, str], dict[str, str]]:
    """Labels and words of what was told, by name and status; of one service alone, where it is named."""
    posted = [json.loads(body) for at, _, body in list(receiver.asked) if at == path and body]
    return {
        (alert["labels"]["alertname"], alert["status"]): alert["labels"] | alert["annotations"]
        for message in posted
        for alert in message["alerts"]
        if service in (None, alert["labels"].get("service"))
    }


def test_a_service_that_is_down_is_told_to_the_webhook(watched: Path, receiver: Receiver) -> None:
    """The colour that does not run is nobody's business; what is outside hears that we are alive."""
    wait_until(lambda: ("ServiceDown", "firing") in alerts(receiver, "/page", "web"), 90)
    found = alerts(receiver, "/page", "web")["ServiceDown", "firing"]
    assert found["environment"] == "test"
    assert found["runbook_url"] == "https://leitstand.example/operations/runbooks/failed-release"
    wait_until(lambda: ("DeadMansSwitch", "firing") in alerts(receiver, "/alive"), 90)
    assert ("DeadMansSwitch", "firing") not in alerts(receiver, "/page")


@pytest.mark.long
def test_a_service_that_goes_and_comes_back_is_told(watched: Path, receiver: Receiver) -> None:
    """PostgreSQL away is told, and what follows from it is not; that it is over is told too."""
    receiver.body = b"pg_up 1\n"
    wait_until(lambda: ("ServiceDown", "firing") in alerts(receiver, "/page"), 60)
    receiver.body = b"pg_up 0\nleitstand_archive_lag_seconds 700\n"
    wait_until(lambda: ("PostgresDown", "firing") in alerts(receiver, "/page"), 60)
    wait_until(lambda: ("ArchiveLag", "firing") in alerts(receiver, "/page"), 60)
    receiver.body = b"pg_up 1\nleitstand_archive_lag_seconds 0\n"
    wait_until(lambda: ("PostgresDown", "resolved") in alerts(receiver, "/page"), 60)
    wait_until(lambda: ("ArchiveLag", "resolved") in alerts(receiver, "/page"), 60)
