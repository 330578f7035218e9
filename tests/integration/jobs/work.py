"""Jobs that the tests run, in this process and in real worker processes."""

import time
from pathlib import Path

from leitstand.errors import InvalidInput, Unavailable
from leitstand.jobs.registry import job
from leitstand.telemetry.context import current


@job("test.note", attempts=3, first_wait=0.01)
def note(*, path: str, line: str = "done") -> None:
    """Write a line and the identity under which it was written."""
    identity = current()
    with Path(path).open("a") as out:
        out.write(f"{line} {identity['request_id']} {identity['traceparent']}\n")


@job("test.flaky", attempts=3, first_wait=0.01)
def flaky(*, path: str, failures: int) -> None:
    """Fail the first `failures` times."""
    with Path(path).open("a") as out:
        out.write("tried\n")
    if len(Path(path).read_text().splitlines()) <= failures:
        raise Unavailable("The other side does not answer.")


@job("test.refused", attempts=5, first_wait=0.01)
def refused(*, path: str) -> None:
    """Fail for good."""
    with Path(path).open("a") as out:
        out.write("tried\n")
    raise InvalidInput("This can't be taken.")


@job("test.slow", attempts=3, first_wait=0.01)
def slow(*, path: str, seconds: float) -> None:
    """Say that it began, take its time, say that it ended."""
    with Path(path).open("a") as out:
        out.write("began\n")
    time.sleep(seconds)
    with Path(path).open("a") as out:
        out.write("ended\n")


@job("test.alone", lock="alone-{name}")
def alone(*, path: str, name: str) -> None:
    """Runs one at a time for each name."""
    slow(path=path, seconds=0.2)
