"""One word for what supervisor and service say."""

import pytest

from leitstand.cli._environment import table
from leitstand.embedded.probes import Health
from leitstand.embedded.state import EnvironmentStatus, ServiceStatus, judge
from leitstand.embedded.supervisor import State

READY, NOT_READY = Health(True), Health(False, "not ready: database")


@pytest.mark.parametrize(
    ("state", "seconds", "health", "word"),
    [
        ("RUNNING", 100, READY, "up"),
        ("STARTING", 1, READY, "up"),
        ("STARTING", 1, NOT_READY, "starting"),
        ("RUNNING", 1000, NOT_READY, "failing"),
        ("BACKOFF", 0, NOT_READY, "restarting"),
        ("EXITED", 0, NOT_READY, "restarting"),
        ("STOPPED", 0, NOT_READY, "stopped"),
        ("FATAL", 0, NOT_READY, "stopped"),
        ("STOPPING", 5, READY, "stopped"),
    ],
)
def test_a_supervised_service(state: str, seconds: int, health: Health, word: str) -> None:
    assert judge(State("web", state, 1, seconds, ""), health)[0] == word


def test_a_service_that_answers_without_a_supervisor_is_not_called_up() -> None:
    assert judge(None, READY)[0] == "unsupervised"
    assert judge(None, NOT_READY)[0] == "stopped"


def status(*services: ServiceStatus, supervised: bool = True) -> EnvironmentStatus:
    last = {"kind": "warm", "seconds": 12.5, "at": "2026-11-23T10:00:00+00:00"}
    return EnvironmentStatus("http://127.0.0.1:9000", "/srv", supervised, services, 5 * 1024 * 1024, last)


def service(state: str) -> ServiceStatus:
    return ServiceStatus("web", "Pages", "127.0.0.1:9001", state, "why", 7, 3700, 1024 * 1024)


def test_an_environment_is_well_only_when_all_is_up_and_supervised() -> None:
    assert status(service("up")).ok
    assert not status(service("up"), service("failing")).ok
    assert not status(service("up"), supervised=False).ok


def test_the_table_says_service_address_state_memory_and_the_last_start() -> None:
    text = table(status(service("up")))
    assert all(word in text for word in ("web", "127.0.0.1:9001", "up", "1 h", "1 MB", "12.5 s", "warm"))
