"""One-time codes as the second step of signing in (TOTP, RFC 6238), and recovery codes for whoever loses theirs."""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import pyotp
from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from leitstand.db.models import OneTimeCode, Person, RecoveryCode
from leitstand.errors import Conflict, InvalidInput, NotFound
from leitstand.identity import attempts, audit
from leitstand.identity.access import Principal
from leitstand.identity.confirming import confirm_password, myself
from leitstand.identity.people import find_person
from leitstand.identity.sealed import place_of_code
from leitstand.identity.sealing import open_sealed, seal
from leitstand.identity.security_mail import tell

STEP_SECONDS = 30
# Half-minutes by which a clock may be wrong, either way.
DRIFT = 1
RECOVERY_CODES = 10
RECOVERY_BYTES = 10
ISSUER = "Leitstand"
WRONG = "This code is not right."
HINT = "Take the newest one; the clock of the device that shows it must be right."


@dataclass(frozen=True)
class Status:
    """Whether codes are asked for, since when, and how many recovery codes are left."""

    since: datetime | None
    recovery_codes: int

    @property
    def on(self) -> bool:
        """Whether codes are asked for."""
        return self.since is not None


def status(session: Session, *, principal: Principal) -> Status:
    """How it stands for the principal."""
    code = session.get(OneTimeCode, principal.person_id)
    left = select(func.count()).where(
        RecoveryCode.person_id == principal.person_id, RecoveryCode.used_at.is_(None)
    )
    return Status(code.confirmed_at if code else None, int(session.scalar(left) or 0))


def set_up(session: Session, *, principal: Principal, password: str, address: str = "") -> None:
    """Make a secret that is to be confirmed by a code; one that was not confirmed is replaced.

    Raises:
        InvalidInput: the password is wrong.
        TooManyRequests: too many wrong ones.
        Conflict: codes are asked for already.
    """
    person = confirm_password(session, principal=principal, password=password, address=address)
    code = session.get(OneTimeCode, person.id, with_for_update=True)
    if code is not None and code.confirmed_at is not None:
        raise Conflict("Two-step sign-in is on already.", hint="Turn it off first to use another device.")
    sealed = seal(pyotp.random_base32(), place=place_of_code(person.id))
    if code is None:
        session.add(OneTimeCode(person_id=person.id, secret=sealed))
    else:
        code.secret = sealed
    session.flush()


def secret_to_confirm(session: Session, *, principal: Principal) -> str:
    """The secret of a set-up that is under way, in base32, for its owner to type or scan.

    Raises:
        NotFound: nothing was begun, or it is confirmed: then it is never shown again.
    """
    code = session.get(OneTimeCode, principal.person_id)
    if code is None or code.confirmed_at is not None:
        raise NotFound("No set-up of two-step sign-in is under way.", hint="Begin it on your profile page.")
    return open_sealed(code.secret, place=place_of_code(code.person_id))


def address_to_scan(secret: str, *, email: str) -> str:
    """What the QR code says: an otpauth address."""
    return pyotp.TOTP(secret).provisioning_uri(name=email, issuer_name=ISSUER)


def confirm(session: Session, *, principal: Principal, code: str, now: datetime | None = None) -> list[str]:
    """Turn it on with a first code; gives the recovery codes, which are shown now and never again.

    Raises:
        InvalidInput: the code is wrong.
        NotFound: nothing was begun.
    """
    person = myself(session, principal)
    secret_to_confirm(session, principal=principal)
    if not _fits(session, person.id, code, now=now):
        raise InvalidInput(WRONG, hint=HINT)
    kept = session.get_one(OneTimeCode, person.id)
    kept.confirmed_at = now or datetime.now(UTC)
    audit.record(session, principal=principal, action="person.code-on", target=f"person:{person.id}")
    tell(session, person_id=person.id, event="code-on")
    return _new_recovery_codes(session, person.id)


def renew_recovery_codes(
    session: Session, *, principal: Principal, password: str, address: str = ""
) -> list[str]:
    """New recovery codes in place of the old ones; shown now and never again.

    Raises:
        InvalidInput: the password is wrong.
        TooManyRequests: too many wrong ones.
        NotFound: codes are not asked for.
    """
    person = confirm_password(session, principal=principal, password=password, address=address)
    if not status(session, principal=principal).on:
        raise NotFound("Two-step sign-in is not on.")
    audit.record(session, principal=principal, action="person.recovery-codes", target=f"person:{person.id}")
    return _new_recovery_codes(session, person.id)


def turn_off(session: Session, *, principal: Principal, password: str, address: str = "") -> None:
    """Ask for no code any more; the recovery codes go with it.

    Raises:
        InvalidInput: the password is wrong.
        TooManyRequests: too many wrong ones.
    """
    person = confirm_password(session, principal=principal, password=password, address=address)
    _forget(session, person, principal=principal)


def turn_off_for(session: Session, *, principal: Principal, email: str) -> Person:
    """Ask somebody for no code any more, who has lost device and recovery codes; for the command line.

    Raises:
        NotFound: there is nobody with this e-mail.
    """
    person = find_person(session, email)
    _forget(session, person, principal=principal)
    return person


def _forget(session: Session, person: Person, *, principal: Principal) -> None:
    removed = (
        delete(OneTimeCode).where(OneTimeCode.person_id == person.id).returning(OneTimeCode.confirmed_at)
    )
    was_on = session.scalar(removed) is not None
    session.execute(delete(RecoveryCode).where(RecoveryCode.person_id == person.id))
    if was_on:
        audit.record(session, principal=principal, action="person.code-off", target=f"person:{person.id}")
        tell(session, person_id=person.id, event="code-off")


def check(session: Session, *, person_id: UUID, code: str, address: str, now: datetime | None = None) -> str:
    """Take a one-time or a recovery code as the second step; gives which of the two it was. Each works once.

    A wrong one counts as a failed sign-in: the caller answers and commits, so that it counts.

    Raises:
        InvalidInput: it is wrong, or was used already.
        TooManyRequests: too many wrong ones.
    """
    person = session.get_one(Person, person_id)
    email = person.email.lower()
    attempts.check(session, email=email, address=address)
    ways: tuple[tuple[str, Callable[[], bool]], ...] = (
        ("one-time code", lambda: _fits(session, person_id, code, now=now)),
        ("recovery code", lambda: _take_recovery_code(session, person_id, code)),
    )
    for name, fits in ways:
        if fits():
            attempts.note_success(session, email=email)
            return name
    attempts.note_failure(session, email=email, address=address)
    raise InvalidInput(WRONG, hint=HINT)


def _fits(session: Session, person_id: UUID, code: str, *, now: datetime | None) -> bool:
    """Whether a code is one of now and newer than the newest that was taken; then it is taken."""
    kept = session.get(OneTimeCode, person_id, with_for_update=True, populate_existing=True)
    digits = "".join(code.split())
    if kept is None or not (digits.isascii() and digits.isdigit()):
        return False
    generator = pyotp.TOTP(open_sealed(kept.secret, place=place_of_code(person_id)))
    this = int((now or datetime.now(UTC)).timestamp()) // STEP_SECONDS
    matching = [
        step
        for step in range(this - DRIFT, this + DRIFT + 1)
        if hmac.compare_digest(generator.at(step * STEP_SECONDS), digits) and step > kept.last_step
    ]
    if not matching:
        return False
    kept.last_step = matching[0]
    session.flush()
    return True


def _take_recovery_code(session: Session, person_id: UUID, code: str) -> bool:
    mine = (RecoveryCode.person_id == person_id) & (RecoveryCode.code_hash == _digest(code))
    used = update(RecoveryCode).where(mine, RecoveryCode.used_at.is_(None)).values(used_at=func.now())
    if session.scalar(used.returning(RecoveryCode.id)) is None:
        return False
    tell(session, person_id=person_id, event="recovery-code-used")
    return True


def _new_recovery_codes(session: Session, person_id: UUID) -> list[str]:
    session.execute(delete(RecoveryCode).where(RecoveryCode.person_id == person_id))
    codes = [_readable(secrets.token_bytes(RECOVERY_BYTES)) for _ in range(RECOVERY_CODES)]
    session.add_all([RecoveryCode(person_id=person_id, code_hash=_digest(code)) for code in codes])
    session.flush()
    return codes


def _readable(random: bytes) -> str:
    """Sixteen letters and digits in groups of four, in which none is mistaken for another (base32)."""
    letters = base64.b32encode(random).decode().lower()
    return "-".join(letters[start : start + 4] for start in range(0, len(letters), 4))


def _digest(code: str) -> bytes:
    """Of 80 random bits, so that a plain hash is enough; hyphens, blanks and case don't matter."""
    plain = "".join(letter for letter in code.lower() if letter.isalnum())
    return hashlib.sha256(plain.encode("utf-8", "replace")).digest()
