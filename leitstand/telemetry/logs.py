"""Structured logs: one JSON object a line on standard error, with the request id of the work.

Our own lines are written by structlog itself: on their way through the standard library each cost a third of the time
that a short request takes. Those of libraries go that way, and look the same.
"""

import json
import logging
import re
import sys
import threading
from contextlib import suppress
from functools import lru_cache

import structlog

SECRET_WORDS = ("password", "secret", "token", "authorization", "cookie", "private_key")
REDACTED = "[redacted]"
# An API token (identity/tokens.py), wherever it stands: in a message, a path or an exception.
TOKEN = re.compile(r"lst_[A-Za-z0-9_-]{43,}")
# Made once: making one costs more than a line.
ENCODER = json.JSONEncoder(ensure_ascii=False, default=repr)


class Lines:
    """Writes lines to standard error, whichever that is by then. What can't be written is lost: a full disk or a closed
    pipe behind the log is no reason for the work to fail.
    """

    def __init__(self) -> None:
        self._turn = threading.Lock()

    def msg(self, line: str) -> None:
        """Write a line."""
        with self._turn, suppress(OSError, ValueError):
            sys.stderr.write(line + "\n")
            sys.stderr.flush()

    debug = info = warning = warn = error = exception = critical = fatal = log = msg


LINES = Lines()


def _redact(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    for key in event:
        if _names_secret(key):
            event[key] = REDACTED
    return event


@lru_cache(maxsize=1_024)
def _names_secret(key: str) -> bool:
    return any(word in key.lower() for word in SECRET_WORDS)


def configure_logging(service: str, level: str = "INFO", *, colour: str = "") -> None:
    """Send structlog's and the standard library's logs to standard error as JSON lines labelled `service`, and `colour` where there is one."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _redact,
    ]
    written: list[structlog.typing.Processor] = [
        _label(service, colour),
        structlog.processors.format_exc_info,
        _rendered,
    ]
    structlog.configure(
        processors=[*shared, *written],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level)),
        logger_factory=lambda *_: LINES,
        # A cached logger would keep the level of the first call for good.
        cache_logger_on_first_use=False,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *written],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for noisy in ("uvicorn.access", "botocore", "urllib3", "httpx", "httpcore", "s3transfer"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    for own in ("uvicorn", "uvicorn.error"):
        logging.getLogger(own).handlers = []
        logging.getLogger(own).propagate = True


def _rendered(_: object, __: str, event: structlog.typing.EventDict) -> str:
    return TOKEN.sub(REDACTED, ENCODER.encode(event))


def _label(service: str, colour: str) -> structlog.typing.Processor:
    labels = {"service": service} | ({"colour": colour} if colour else {})

    def add(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        event.update(labels)
        return event

    return add


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """A logger whose lines carry the bound request id."""
    logger: structlog.stdlib.BoundLogger = structlog.get_logger(name)
    return logger
