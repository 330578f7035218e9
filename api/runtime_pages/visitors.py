"""Anonymous visitors: a random token in a cookie of the workspace's own, forms bound to it, and who is no person."""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from fastapi import Request, Response

from leitstand.companions.runs import visitor_key
from leitstand.events.agents import is_bot
from leitstand.identity.secret import accepted_keys, signing_key
from leitstand.settings import get_settings

COOKIE_PREFIX = "visitor_"
COOKIE_PATH = "/c"
COOKIE_SECONDS = 180 * 24 * 3600
TOKEN_BYTES = 24
TOKEN = re.compile(r"[A-Za-z0-9_-]{32}")


@dataclass(frozen=True)
class Visitor:
    """A browser as one workspace knows it.

    Args:
        token: what the cookie holds; never stored.
        key: what is stored.
        known: whether the browser sent the token, or it was only just made.
    """

    token: str
    key: str
    known: bool


def visitor_of(request: Request, workspace_id: UUID) -> Visitor:
    """The visitor that sent a request; a new one where the cookie is missing or not ours."""
    token = request.cookies.get(cookie_name(workspace_id), "")
    known = TOKEN.fullmatch(token) is not None
    if not known:
        token = secrets.token_urlsafe(TOKEN_BYTES)
    return Visitor(token, visitor_key(workspace_id, token), known)


def cookie_name(workspace_id: UUID) -> str:
    """The cookie of a workspace: visitors of several workspaces on one host are several visitors."""
    return COOKIE_PREFIX + workspace_tag(workspace_id)


def workspace_tag(workspace_id: UUID) -> str:
    """How browsers tell workspaces apart; it tells them nothing else."""
    return hashlib.blake2b(workspace_id.bytes, digest_size=6).hexdigest()


def wants_no_tracking(request: Request) -> bool:
    """Whether the browser says that its owner wants not to be tracked."""
    return request.headers.get("dnt") == "1" or request.headers.get("sec-gpc") == "1"


def remember(response: Response, workspace_id: UUID, visitor: Visitor) -> None:
    """Give the browser its token, or put off the end of it."""
    response.set_cookie(
        cookie_name(workspace_id),
        visitor.token,
        max_age=COOKIE_SECONDS,
        path=COOKIE_PATH,
        httponly=True,
        samesite="lax",
        secure=get_settings().cookie_secure,
    )


def form_token(visitor: Visitor, run_id: UUID) -> str:
    """The token of a form that only this visitor, on this run, can send."""
    return _form_token(signing_key(), visitor, run_id)


def _form_token(key: bytes, visitor: Visitor, run_id: UUID) -> str:
    message = f"runtime\0{visitor.token}\0{run_id}".encode()
    return hmac.new(key, message, hashlib.sha256).hexdigest()


def form_token_fits(visitor: Visitor, run_id: UUID, token: str) -> bool:
    """Whether a form came from a page that this visitor was given, perhaps shortly before a rotation of the key."""
    keys = accepted_keys(within=timedelta(hours=get_settings().session_hours))
    expected = [_form_token(key, visitor, run_id) for key in keys]
    return visitor.known and any(hmac.compare_digest(one.encode(), token.encode()) for one in expected)


def is_person(request: Request) -> bool:
    """Whether a browser in somebody's hands asks, and not a program, a preview or a prefetch.

    A program that hides what it is is counted as a visitor, so that rate limits, not figures, are what stands against it.
    """
    agent = request.headers.get("user-agent", "")
    purpose = request.headers.get("sec-purpose", "") + request.headers.get("purpose", "")
    return request.method != "HEAD" and bool(agent) and not is_bot(agent) and "prefetch" not in purpose
