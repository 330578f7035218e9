"""Domain errors: what went wrong, the HTTP status it means, and the way out.

Surfaces turn them into their own form: RFC 9457 problem details on HTTP, one line and a hint on the
command line. Nothing secret may be put into a message or a hint.
"""

from typing import ClassVar

from leitstand.words.messages import Message, joined

NOTED = "hint: "


class LeitstandError(Exception):
    """The root of every error that a person may be shown.

    Args:
        message: one sentence: what happened, to what.
        hint: one sentence: what to do about it; empty where there is nothing to do.
        details: further members of the problem document (JSON values only).
    """

    status: ClassVar[int] = 500
    title: ClassVar[str] = "Something went wrong"
    kind: ClassVar[str] = "internal"
    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str = "", details: dict[str, object] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.details = details or {}
        if hint:
            # So that a traceback, as a runbook's evidence keeps it, says what to do as well.
            self.add_note(f"{NOTED}{hint}")

    @property
    def said(self) -> Message:
        """The message and the hint as one text, which can be stored and translated."""
        return joined(self.message, self.hint)


class InvalidInput(LeitstandError):
    """The caller sent something that can't be taken as it is."""

    status, title, kind, exit_code = 422, "Invalid input", "invalid-input", 2


class NotFound(LeitstandError):
    """There is no such thing, or the caller may not know that there is."""

    status, title, kind = 404, "Not found", "not-found"


class NotSignedIn(LeitstandError):
    """No valid session or token came with the request."""

    status, title, kind = 401, "Sign in first", "not-signed-in"


class Forbidden(LeitstandError):
    """The caller is known and lacks the permission."""

    status, title, kind = 403, "Not allowed", "forbidden"


class LimitReached(LeitstandError):
    """The workspace's plan has no room for this; `details` says `what`, `limit` and `used`."""

    status, title, kind = 403, "The plan's limit is reached", "limit-reached"


class Conflict(LeitstandError):
    """The request contradicts what is already there."""

    status, title, kind = 409, "Conflict", "conflict"


class ChangedMeanwhile(LeitstandError):
    """The request holds for a state (its If-Match) that is no longer there."""

    status, title, kind = 412, "Changed meanwhile", "changed-meanwhile"


class TooLarge(LeitstandError):
    """The request, or what it unpacks to, is larger than is taken."""

    status, title, kind = 413, "That is too large", "too-large"


class UnsupportedMedia(LeitstandError):
    """The body comes in a form or an encoding that is not read here."""

    status, title, kind = 415, "Not this form", "unsupported-media"


class TooManyRequests(LeitstandError):
    """A rate limit was reached; `details["retry_after"]` says how many seconds to wait."""

    status, title, kind = 429, "Too many requests", "too-many-requests"


class Unavailable(LeitstandError):
    """A service that this needs does not answer."""

    status, title, kind = 503, "Unavailable", "unavailable"


class IntegrityFailed(LeitstandError):
    """Something stored is not what it should be: a hash, a count or a check differs."""

    status, title, kind = 500, "Integrity check failed", "integrity-failed"


class PreconditionFailed(LeitstandError):
    """The machine or the environment is not fit for this: a tool, space, memory or a port is missing."""

    status, title, kind, exit_code = 503, "Not ready for this", "precondition-failed", 3
