"""Lines of the log: JSON with the request id, nothing secret, from our own loggers and from libraries alike."""

import io
import json
import logging
import sys
from collections.abc import Iterator

import pytest
import structlog

from leitstand.telemetry.context import bound
from leitstand.telemetry.logs import REDACTED, configure_logging, get_logger

TOKEN = "lst_" + "a" * 43


@pytest.fixture(autouse=True)
def configured() -> Iterator[None]:
    root, handlers, level = logging.getLogger(), logging.getLogger().handlers, logging.getLogger().level
    configure_logging("tested")
    yield
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


def lines(said: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in said.splitlines()]


def test_a_line_of_ours_and_one_of_a_library_carry_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    logging.getLogger().handlers[0].setStream(sys.stderr)  # type: ignore[attr-defined]
    with bound("request-0123", None):
        get_logger("ours").warning("said", at="Zürich", password="p")
        logging.getLogger("theirs").warning("said")
    ours, theirs = lines(capsys.readouterr().err)
    assert (ours.pop("at"), ours.pop("password")) == ("Zürich", REDACTED)
    assert set(ours) == set(theirs)
    same = {"event": "said", "level": "warning", "service": "tested", "request_id": "request-0123"}
    assert same.items() <= ours.items()
    assert same.items() <= theirs.items()


def test_a_token_is_in_no_line(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        raise RuntimeError(f"no such {TOKEN}")
    except RuntimeError:
        get_logger("ours").exception("failed", path=f"/x/{TOKEN}", what={"deep": [TOKEN]})
    said = capsys.readouterr().err
    assert TOKEN not in said
    assert lines(said)[0]["path"] == f"/x/{REDACTED}"
    assert "RuntimeError" in str(lines(said)[0]["exception"])


def test_what_is_below_the_level_is_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("tested", "WARNING")
    get_logger("ours").info("said")
    assert capsys.readouterr().err == ""


class Full(io.StringIO):
    """Behind it no more can be written."""

    def write(self, _: str) -> int:
        raise OSError(28, "No space left on device")


@pytest.mark.parametrize("behind", [Full(), io.StringIO()])
def test_a_log_that_cannot_be_written_stops_no_work(
    monkeypatch: pytest.MonkeyPatch, behind: io.StringIO
) -> None:
    if not isinstance(behind, Full):
        behind.close()
    monkeypatch.setattr(sys, "stderr", behind)
    get_logger("ours").info("said")
