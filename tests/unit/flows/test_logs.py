"""Prefect's own log lines as JSON."""

import json
import logging
import sys

from flows.logs import JsonLines

RUN = "01a20a80-b0b7-7384-826b-d86acfc71d1b"


def line(*, flow_run: str | None = None, error: BaseException | None = None) -> dict[str, str]:
    record = logging.LogRecord(
        "prefect.x",
        logging.WARNING,
        "f.py",
        1,
        "said %s\nand more",
        ("this",),
        (type(error), error, error.__traceback__) if error else None,
    )
    if flow_run is not None:
        record.flow_run_id = flow_run
    text = JsonLines().format(record)
    assert "\n" not in text
    document: dict[str, str] = json.loads(text)
    return document


def test_one_line_one_object() -> None:
    document = line()
    assert (document["event"], document["level"], document["logger"]) == (
        "said this\nand more",
        "warning",
        "prefect.x",
    )
    assert "request_id" not in document


def test_a_line_of_a_run_carries_the_request_that_its_flow_logs_under() -> None:
    assert line(flow_run=RUN)["request_id"] == RUN.replace("-", "")
    assert line(flow_run="<unknown>")["request_id"] == ""


def test_an_exception_is_in_it() -> None:
    try:
        raise ValueError("wrong")
    except ValueError as error:
        assert "ValueError: wrong" in line(error=error)["exception"]


def test_the_process_names_itself(monkeypatch: object) -> None:
    before = sys.argv
    try:
        for argv, service in (
            (["prefect", "server", "start"], "prefect"),
            (["prefect", "worker", "start"], "prefect-worker"),
            (["engine.py"], "flows"),
        ):
            sys.argv = argv
            assert line()["service"] == service
    finally:
        sys.argv = before
