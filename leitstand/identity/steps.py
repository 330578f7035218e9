"""What a browser has begun and must end itself, once: bound to it by a random token in a cookie, and without rights."""

import hashlib
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from leitstand.db.models import SignInStep
from leitstand.errors import NotSignedIn

COOKIE = "leitstand_step"
LIFETIME = timedelta(minutes=10)
TOKEN_BYTES = 32
CODE, PASSKEY, NEW_PASSKEY, SINGLE_SIGN_ON = "code", "passkey", "new passkey", "single sign-on"


class StepExpired(NotSignedIn):
    """This browser has begun nothing of the kind, or too long ago, or it is done already."""

    title, kind = "Begin again", "step-expired"


def begin(
    session: Session,
    purpose: str,
    *,
    person_id: UUID | None = None,
    data: dict[str, Any] | None = None,
    previous_token: str | None = None,
    now: datetime | None = None,
) -> str:
    """Begin something; gives the token for the browser's cookie. What the browser had begun before is void.

    Args:
        purpose: one of this module's.
        person_id: whom it is about, where that is known.
        data: what is needed at its end, such as a challenge.
    """
    now = now or datetime.now(UTC)
    over = SignInStep.expires_at <= now
    if previous_token:
        over |= SignInStep.token_hash == _digest(previous_token)
    session.execute(delete(SignInStep).where(over))
    token = secrets.token_urlsafe(TOKEN_BYTES)
    session.add(
        SignInStep(
            token_hash=_digest(token), purpose=purpose, person_id=person_id, data=data or {}, created_at=now,
            expires_at=now + LIFETIME,
        )
    )  # fmt: skip
    session.flush()
    return token


def find(session: Session, purpose: str, token: str | None, *, now: datetime | None = None) -> SignInStep:
    """What this browser has begun.

    Raises:
        StepExpired: nothing of that purpose, or too long ago.
    """
    step = None
    if token:
        mine = select(SignInStep).where(
            SignInStep.token_hash == _digest(token), SignInStep.purpose == purpose
        )
        step = session.scalar(
            mine.where(SignInStep.expires_at > (now or datetime.now(UTC))).with_for_update()
        )
    if step is None:
        raise StepExpired("This took too long, or was done already.", hint="Begin again.")
    return step


def take(session: Session, purpose: str, token: str | None, *, now: datetime | None = None) -> SignInStep:
    """As `find`, once: it is gone from the end of the transaction on.

    Raises:
        StepExpired: as `find`.
    """
    step = find(session, purpose, token, now=now)
    session.delete(step)
    session.flush()
    return step


def forget(session: Session, person_id: UUID) -> None:
    """Void what browsers have begun as this person, such as a sign-in whose password is not theirs any more."""
    session.execute(delete(SignInStep).where(SignInStep.person_id == person_id))


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()
