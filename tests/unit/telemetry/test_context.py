"""Request ids and trace contexts are taken over when well-formed, and only then."""

import json

import pytest

from leitstand.telemetry.context import accept_request_id, accept_traceparent, bound, current
from leitstand.telemetry.logs import configure_logging, get_logger

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.mark.parametrize(
    "hostile", [None, "", "short", "a b c d e f g h", "x" * 129, "id\nwith: header", "ид-не-ascii-12345"]
)
def test_a_malformed_request_id_is_replaced(hostile: str | None) -> None:
    made = accept_request_id(hostile)
    assert made != hostile
    assert len(made) == 32


def test_a_well_formed_request_id_is_kept() -> None:
    assert accept_request_id("req-12345678") == "req-12345678"


def test_a_trace_is_continued_with_a_span_of_ours() -> None:
    continued = accept_traceparent(TRACE)
    assert continued.split("-")[1] == TRACE.split("-")[1]
    assert continued.split("-")[2] != TRACE.split("-")[2]


@pytest.mark.parametrize("broken", [None, "00-" + "0" * 32 + "-00f067aa0ba902b7-01", "garbage"])
def test_a_broken_trace_starts_a_new_one(broken: str | None) -> None:
    assert accept_traceparent(broken) != broken


def test_every_log_line_inside_carries_the_identity_and_no_secret(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("unit")
    with bound("req-12345678", TRACE, job="nightly"):
        assert current() == {"request_id": "req-12345678", "traceparent": TRACE}
        get_logger("test").info("done", password="hunter2", rows=3)
    line = json.loads(capsys.readouterr().err.strip().splitlines()[-1])
    assert line["request_id"] == "req-12345678"
    assert line["job"] == "nightly"
    assert line["service"] == "unit"
    assert line["rows"] == 3
    assert "hunter2" not in json.dumps(line)
    assert current()["request_id"] == ""
