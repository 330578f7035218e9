"""How often signing in may fail: by e-mail and by address, within a quarter of an hour."""

import hashlib
import hmac
import math
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from leitstand.db.models import SignInAttempt
from leitstand.errors import TooManyRequests
from leitstand.identity.secret import signing_key
from leitstand.settings import get_settings
from leitstand.words import msg

WINDOW = timedelta(minutes=15)
KEEP = timedelta(days=1)


def check(session: Session, *, email: str, address: str) -> None:
    """Refuse a sign-in while too many have failed, or while another one of the same e-mail is being checked.

    Raises:
        TooManyRequests: `details["retry_after"]` says how many seconds to wait.
    """
    by_email, by_address = _key("email", email), _key("address", address)
    lock = int.from_bytes(by_email[:8], "big", signed=True)
    if not session.scalar(select(func.pg_try_advisory_xact_lock(lock))):
        raise _refusal(1)
    now = datetime.now(UTC)
    limit = get_settings().sign_in_attempts
    waits = [_wait(session, key, now=now, limit=limit) for key in (by_email, by_address)]
    if max(waits) > 0:
        raise _refusal(max(waits))


def check_address(session: Session, *, address: str) -> None:
    """As `check` where no e-mail is given, such as with a passkey.

    Raises:
        TooManyRequests: as `check`.
    """
    limit = get_settings().sign_in_attempts
    wait = _wait(session, _key("address", address), now=datetime.now(UTC), limit=limit)
    if wait > 0:
        raise _refusal(wait)


def note_address_failure(session: Session, *, address: str) -> None:
    """Count one failure where no e-mail was given."""
    session.add(SignInAttempt(key_hash=_key("address", address)))
    session.flush()


def note_failure(session: Session, *, email: str, address: str) -> None:
    """Count one failed sign-in; the caller's transaction must be committed for it to count."""
    session.add_all(
        [SignInAttempt(key_hash=_key("email", email)), SignInAttempt(key_hash=_key("address", address))]
    )
    session.flush()


def note_success(session: Session, *, email: str) -> None:
    """Forget the failures of this e-mail (never those of the address) and everything older than a day."""
    old = SignInAttempt.at < datetime.now(UTC) - KEEP
    session.execute(delete(SignInAttempt).where((SignInAttempt.key_hash == _key("email", email)) | old))


def _wait(session: Session, key: bytes, *, now: datetime, limit: int) -> int:
    """Seconds until fewer than `limit` failures of this key lie within the window; 0: none to wait."""
    newest = (
        select(SignInAttempt.at)
        .where(SignInAttempt.key_hash == key, SignInAttempt.at > now - WINDOW)
        .order_by(SignInAttempt.at.desc())
        .limit(limit)
    )
    times = list(session.scalars(newest))
    if len(times) < limit:
        return 0
    return max(1, math.ceil((times[-1] + WINDOW - now).total_seconds()))


def _refusal(seconds: int) -> TooManyRequests:
    if seconds > 60:
        hint = msg("Wait {count} minutes and try again.", count=math.ceil(seconds / 60))
    elif seconds > 1:
        hint = msg("Wait {count} seconds and try again.", count=seconds)
    else:
        hint = msg("Wait 1 second and try again.")
    return TooManyRequests(
        msg("Too many sign-ins failed."),
        hint=hint,
        details={"retry_after": seconds},
    )


def _key(kind: str, value: str) -> bytes:
    """A keyed hash, so that the table tells nobody who tried from where."""
    return hmac.new(signing_key(), f"sign-in:{kind}:{value}".encode(), hashlib.sha256).digest()
