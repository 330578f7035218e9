"""The identity of the work being done: request id and trace context, carried through jobs and flows."""

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

WELL_FORMED = re.compile(r"^[A-Za-z0-9._-]{8,128}$")
TRACEPARENT = re.compile(r"^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$")


def new_request_id() -> str:
    """A fresh request id (128 random bits, hex)."""
    return secrets.token_hex(16)


def accept_request_id(candidate: str | None) -> str:
    """The caller's request id when it is well-formed, else a new one."""
    return candidate if candidate and WELL_FORMED.match(candidate) else new_request_id()


def accept_traceparent(candidate: str | None) -> str:
    """This hop's W3C traceparent: the caller's trace continued with a span of ours, or a new trace."""
    if candidate and TRACEPARENT.match(candidate):
        version, trace, _, flags = candidate.split("-")
        return f"{version}-{trace}-{secrets.token_hex(8)}-{flags}"
    return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"


def current() -> dict[str, str]:
    """What must travel with a job or a flow run: `request_id` and `traceparent` (empty where unset)."""
    bound = structlog.contextvars.get_contextvars()
    return {"request_id": str(bound.get("request_id", "")), "traceparent": str(bound.get("traceparent", ""))}


@contextmanager
def bound(
    request_id: str | None = None, traceparent: str | None = None, **fields: object
) -> Iterator[dict[str, str]]:
    """Bind request id, traceparent (this hop's, as is) and further fields to every log line written inside."""
    hop = traceparent if traceparent and TRACEPARENT.match(traceparent) else accept_traceparent(None)
    identity = {"request_id": accept_request_id(request_id), "traceparent": hop}
    with structlog.contextvars.bound_contextvars(**identity, **fields):
        yield identity
