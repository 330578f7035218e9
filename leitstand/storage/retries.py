"""Which failures of the store are worth another try, how long to wait, and what the others are called."""

import random
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from leitstand.errors import Conflict, LeitstandError, NotFound, PreconditionFailed, Unavailable
from leitstand.words import msg

ATTEMPTS = 6
FIRST_PAUSE = 0.1
LONGEST_PAUSE = 5.0

TRANSIENT_CODES = frozenset(
    {
        "SlowDown",
        "InternalError",
        "RequestTimeout",
        "ServiceUnavailable",
        "Throttling",
        "TooManyRequests",
        "OperationAborted",
    }
)
MISSING_CODES = frozenset({"NoSuchKey", "NoSuchBucket", "NoSuchVersion", "NoSuchUpload", "404", "NotFound"})
REFUSED_CODES = frozenset({"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "403", "Forbidden"})
SKEW_CODES = frozenset({"RequestTimeTooSkewed", "RequestExpired"})
# The store says its time with every answer, to the second.
MOST_SKEW_SECONDS = 300.0
CONDITION_CODES = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "412"})


class ClockSkewed(Unavailable):
    """The store refuses requests because this machine's clock differs from its own."""


def clock_ahead(headers: Mapping[str, str]) -> float:
    """Seconds by which this machine's clock is ahead of the one that an answer's headers tell; 0 when they tell none."""
    try:
        said = parsedate_to_datetime(headers.get("date", ""))
    except ValueError:
        return 0.0
    said = said if said.tzinfo else said.replace(tzinfo=UTC)  # "-0000" and nothing at all mean UTC as well
    return (datetime.now(UTC) - said).total_seconds()


def _ahead(error: Exception) -> float:
    response = getattr(error, "response", None) or {}
    return clock_ahead(response.get("ResponseMetadata", {}).get("HTTPHeaders", {}))


def pause(attempt: int) -> float:
    """Seconds to wait before try `attempt` + 1: full jitter under an exponential bound."""
    return random.uniform(0, min(LONGEST_PAUSE, FIRST_PAUSE * 2**attempt))  # noqa: S311 - jitter, no secret


def code_of(error: Exception) -> str:
    """The S3 error code of a botocore ClientError, else an empty string."""
    response = getattr(error, "response", None)
    return str(response.get("Error", {}).get("Code", "")) if isinstance(response, dict) else ""


def status_of(error: Exception) -> int:
    """The HTTP status of a botocore ClientError, else 0."""
    response = getattr(error, "response", None)
    return (
        int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        if isinstance(response, dict)
        else 0
    )


def is_transient(error: Exception) -> bool:
    """Whether the same request may succeed a moment later: no answer, a broken connection, 5xx, throttling."""
    from botocore.exceptions import (
        ClientError,
        ConnectionError,
        HTTPClientError,
        IncompleteReadError,
        ResponseStreamingError,
    )
    from urllib3.exceptions import HTTPError

    if isinstance(error, ClientError):
        code = code_of(error)
        return code in TRANSIENT_CODES or (
            status_of(error) >= HTTPStatus.INTERNAL_SERVER_ERROR and code != "NotImplemented"
        )
    return is_cut_answer(error) or isinstance(
        error,
        ConnectionError
        | HTTPClientError
        | IncompleteReadError
        | ResponseStreamingError
        | HTTPError
        | OSError,
    )


def is_cut_answer(error: Exception) -> bool:
    """Whether botocore could not read an answer that broke off in its headers or its XML; it has no error for a cut date."""
    from botocore.parsers import ResponseParserError

    cut_date = isinstance(error, ValueError) and str(error).startswith("Invalid timestamp")
    return cut_date or isinstance(error, ResponseParserError)


def translated(error: Exception, what: str) -> LeitstandError:
    """The domain error for what the store said about `what` (s3://bucket/key)."""
    code = code_of(error)
    if code in MISSING_CODES:
        return NotFound(msg("The object store has no {what}.", what=what))
    # An answer to HEAD has no body that could name the reason, only its date.
    ahead = _ahead(error)
    if code in SKEW_CODES or (code in REFUSED_CODES and abs(ahead) > MOST_SKEW_SECONDS):
        return ClockSkewed(
            _skewed(what, ahead),
            hint="Set the clock (timedatectl set-ntp true) and try again.",
        )
    if code in REFUSED_CODES:
        return PreconditionFailed(
            msg("The object store refused the credentials for {what} ({code}).", what=what, code=code),
            hint="Check LEITSTAND_S3_ACCESS_KEY, LEITSTAND_S3_SECRET_KEY and the bucket's policy.",
        )
    if code in CONDITION_CODES:
        return Conflict(msg("{what} is already there or has changed.", what=what))
    reason = code or type(error).__name__
    return Unavailable(
        msg("The object store does not answer for {what} ({reason}).", what=what, reason=reason),
        hint="Check that it runs: `leitstand storage probe`.",
    )


def _skewed(what: str, ahead: float) -> str:
    seconds = f"{abs(ahead):.0f}"
    if ahead > 0:
        return msg(
            "The object store refused {what}: this machine's clock is {seconds} s ahead of the store's.",
            what=what,
            seconds=seconds,
        )
    return msg(
        "The object store refused {what}: this machine's clock is {seconds} s behind the store's.",
        what=what,
        seconds=seconds,
    )


def attempt[T](work: Callable[[], T], what: str, *, attempts: int = ATTEMPTS) -> T:
    """Call `work` until it succeeds, fails for good, or `attempts` are used up.

    Raises:
        LeitstandError: NotFound, Conflict, PreconditionFailed (credentials) or Unavailable.
    """
    for number in range(attempts):
        try:
            return work()
        except LeitstandError:
            raise
        except Exception as error:
            if not is_transient(error) or number == attempts - 1:
                raise _known(error, what) from error
        time.sleep(pause(number))
    raise AssertionError("unreachable")


def _known(error: Exception, what: str) -> Exception:
    from botocore.exceptions import BotoCoreError, ClientError
    from urllib3.exceptions import HTTPError

    return (
        translated(error, what)
        if isinstance(error, BotoCoreError | ClientError | HTTPError | OSError) or is_cut_answer(error)
        else error
    )
