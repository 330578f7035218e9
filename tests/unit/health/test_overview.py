"""How answers are judged, and that one that hangs holds up nothing."""

import threading
import time
from datetime import UTC, datetime, timedelta

import pytest

from leitstand.errors import Unavailable
from leitstand.health import overview as module

NOW = datetime(2026, 5, 1, tzinfo=UTC)


def test_a_probe_that_hangs_is_down_and_the_others_answer() -> None:
    forever = threading.Event()

    def hangs() -> tuple[str, str]:
        forever.wait(60)
        return module.UP, ""

    began = time.monotonic()
    answers = module._ask_all([hangs, lambda: (module.UP, "fine")], 0.3)
    assert time.monotonic() - began < 30
    forever.set()
    assert [(state, detail) for state, detail, _ in answers] == [
        (module.DOWN, "no answer within 0.3 s"),
        (module.UP, "fine"),
    ]


def test_what_a_probe_raises_is_its_answer_without_its_text() -> None:
    def secret() -> tuple[str, str]:
        raise RuntimeError("password=hunter2")

    def ours() -> tuple[str, str]:
        raise Unavailable("The store does not answer.")

    answers = module._ask_all([secret, ours], 5)
    assert [answer[:2] for answer in answers] == [
        (module.DOWN, "RuntimeError"),
        (module.DOWN, "The store does not answer."),
    ]


@pytest.mark.parametrize(
    ("last", "state"),
    [
        (None, module.DEGRADED),
        (NOW - timedelta(seconds=5), module.UP),
        (NOW - timedelta(minutes=2), module.DEGRADED),
        (NOW + timedelta(seconds=1), module.UP),
    ],
)
def test_a_stale_heartbeat_degrades(last: datetime | None, state: str) -> None:
    assert module._judge_heartbeat(last, NOW)[0] == state


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"status":"fail","output":"not ready: database"}', "not ready: database"),
        (b"<html>", ""),
        (b"[1]", ""),
        (b'{"output": 5}', ""),
        (b"\xff", ""),
    ],
)
def test_only_a_health_documents_output_is_repeated(body: bytes, said: str) -> None:
    assert module._what_fails(body) == said
