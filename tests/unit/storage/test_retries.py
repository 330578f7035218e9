"""What is tried again, what is not, and what the errors are called."""

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError
from botocore.parsers import ResponseParserError

from leitstand.errors import Conflict, LeitstandError, NotFound, PreconditionFailed, Unavailable
from leitstand.storage import retries


def client_error(code: str, status: int) -> ClientError:
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, "GetObject")  # type: ignore[typeddict-item]


class Failing:
    """Raises the given errors one after the other, then answers."""

    def __init__(self, *errors: Exception) -> None:
        self.errors, self.calls = list(errors), 0

    def __call__(self) -> str:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return "answer"


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    slept: list[float] = []
    monkeypatch.setattr(retries.time, "sleep", slept.append)
    return slept


def test_an_answer_that_is_always_cut_says_that_the_store_does_not_answer() -> None:
    cut = [ValueError('Invalid timestamp "Thu, 2"') for _ in range(retries.ATTEMPTS)]
    with pytest.raises(Unavailable, match="does not answer"):
        retries.attempt(Failing(*cut), "s3://b/k")


def test_another_wrong_value_is_no_failure_of_the_store() -> None:
    with pytest.raises(ValueError, match="mine"):
        retries.attempt(Failing(ValueError("mine")), "s3://b/k")


@pytest.mark.parametrize(
    "error",
    [
        client_error("SlowDown", 503),
        client_error("InternalError", 500),
        client_error("", 502),
        client_error("TooManyRequests", 429),
        EndpointConnectionError(endpoint_url="http://127.0.0.1:1"),
        ReadTimeoutError(endpoint_url="http://127.0.0.1:1"),
        ConnectionResetError(),
        ResponseParserError("Unable to parse response (no element found)"),
        ValueError('Invalid timestamp "": String does not contain a date: '),
    ],
)
def test_a_passing_failure_is_tried_again(error: Exception, pauses: list[float]) -> None:
    work = Failing(error, error)
    assert retries.attempt(work, "s3://b/k") == "answer"
    assert (work.calls, len(pauses)) == (3, 2)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (client_error("NoSuchKey", 404), NotFound),
        (client_error("404", 404), NotFound),
        (client_error("PreconditionFailed", 412), Conflict),
        (client_error("SignatureDoesNotMatch", 403), PreconditionFailed),
        (client_error("RequestTimeTooSkewed", 403), Unavailable),
        (client_error("InvalidArgument", 400), Unavailable),
    ],
)
def test_a_lasting_failure_is_not_tried_again(error: Exception, expected: type[LeitstandError]) -> None:
    work = Failing(error)
    with pytest.raises(expected, match="s3://b/k"):
        retries.attempt(work, "s3://b/k")
    assert work.calls == 1


def test_clock_skew_is_named() -> None:
    assert "clock" in retries.translated(client_error("RequestTimeTooSkewed", 403), "s3://b/k").message


def test_it_gives_up_and_says_so() -> None:
    work = Failing(*[client_error("SlowDown", 503)] * 99)
    with pytest.raises(Unavailable, match="SlowDown"):
        retries.attempt(work, "s3://b/k")
    assert work.calls == retries.ATTEMPTS


def test_a_fault_of_ours_is_not_hidden() -> None:
    with pytest.raises(KeyError):
        retries.attempt(Failing(KeyError("ours")), "s3://b/k")


def test_pauses_are_random_below_a_growing_bound() -> None:
    for number in range(12):
        bound = min(retries.LONGEST_PAUSE, retries.FIRST_PAUSE * 2**number)
        drawn = [retries.pause(number) for _ in range(200)]
        assert 0 <= min(drawn) < bound / 4
        assert bound * 0.75 < max(drawn) <= bound
