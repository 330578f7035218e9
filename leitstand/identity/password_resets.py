"""A new password by mail, for whoever has forgotten theirs. Whether there is somebody with an e-mail is never told.

The token in the link is derived from the row's id with the session secret, so that neither the queue nor the database
holds it: the row has its SHA-256.
"""

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from leitstand.db.models import Membership, PasswordReset, Person, UserSession
from leitstand.db.models.base import new_id
from leitstand.errors import NotFound
from leitstand.identity import attempts, audit, steps
from leitstand.identity.access import Principal
from leitstand.identity.passwords import check_choice, hash_password
from leitstand.identity.people import home_of
from leitstand.identity.secret import accepted_keys, signing_key
from leitstand.identity.security_mail import tell
from leitstand.identity.texts import storable
from leitstand.jobs.queue import enqueue
from leitstand.mail.message import Letter
from leitstand.settings import get_settings
from leitstand.words import DEFAULT, N_, translate

JOB = "identity.reset-mail"
LIFETIME = timedelta(hours=1)
PATH = "/reset-password/"


def request(session: Session, *, email: str, address: str, now: datetime | None = None) -> None:
    """Have a link sent to whoever has this e-mail. The same work is done where nobody has it.

    Nobody who may not sign in, or who has no password (and signs in elsewhere), is sent one.

    Args:
        address: the client's network address, which is limited as the e-mail is.

    Raises:
        TooManyRequests: too many were asked for.
    """
    now = now or datetime.now(UTC)
    email = storable(email.strip().lower())
    # Counted apart from sign-ins: nobody can be kept out by asking for mails.
    limited = {"email": f"reset:{email}", "address": f"reset:{address}"}
    attempts.check(session, **limited)
    attempts.note_failure(session, **limited)
    session.execute(delete(PasswordReset).where(PasswordReset.expires_at <= now - timedelta(days=1)))
    reset_id = new_id()
    session.add(
        PasswordReset(
            id=reset_id, person_id=_who(session, email), token_hash=_digest(_token(signing_key(), reset_id)),
            created_at=now, expires_at=now + LIFETIME,
        )
    )  # fmt: skip
    session.flush()
    enqueue(session, JOB, reset_id=reset_id)


def find(session: Session, token: str, *, now: datetime | None = None) -> tuple[PasswordReset, Person]:
    """What a link stands for.

    Raises:
        NotFound: it is unknown, used or older than an hour, or its person may not sign in any more.
    """
    query = (
        select(PasswordReset, Person)
        .join(Person, Person.id == PasswordReset.person_id)
        .where(
            PasswordReset.token_hash == _digest(token),
            PasswordReset.used_at.is_(None),
            PasswordReset.expires_at > (now or datetime.now(UTC)),
            Person.disabled_at.is_(None),
        )
        .with_for_update(of=PasswordReset)
    )
    row = session.execute(query).one_or_none()
    if row is None:
        raise NotFound(
            "This link does not work any more.",
            hint="A link holds for an hour and works once. Ask for a new one.",
        )
    return row[0], row[1]


def use(session: Session, *, token: str, new: str, now: datetime | None = None) -> Person:
    """Set the new password, end every session of the person and void their other links.

    One-time codes stay on: whoever reads somebody's mail needs them still.

    Raises:
        NotFound: as `find`.
        InvalidInput: the new password is not fit.
    """
    _, person = find(session, token, now=now)
    check_choice(new, email=person.email, name=person.name)
    person.password_hash = hash_password(new)
    mine = (PasswordReset.person_id == person.id) & PasswordReset.used_at.is_(None)
    session.execute(update(PasswordReset).where(mine).values(used_at=now or datetime.now(UTC)))
    still_open = (UserSession.person_id == person.id) & UserSession.ended_at.is_(None)
    session.execute(update(UserSession).where(still_open).values(ended_at=func.now()))
    steps.forget(session, person.id)
    attempts.note_success(session, email=person.email.lower())
    principal = Principal(person.id, home_of(session, person.id), person.name, person.email, "", frozenset())
    audit.record(
        session,
        principal=principal,
        action="person.reset-password",
        target=f"person:{person.id}",
        after={"by": "mail"},
    )
    tell(session, person_id=person.id, event="password-changed")
    return person


def letter(reset: PasswordReset, language: str = DEFAULT) -> Letter | None:
    """What the mail says, in a language; None where no key makes the token of this row any more."""
    for key in accepted_keys():
        token = _token(key, reset.id)
        if hmac.compare_digest(_digest(token), reset.token_hash):
            return Letter(
                subject=translate(N_("A new password for Leitstand"), language),
                paragraphs=(
                    translate(
                        N_("Somebody, probably you, asked for a new password. Set it here within an hour:"),
                        language,
                    ),
                ),
                link=f"{get_settings().base_url}{PATH}{token}",
                action=translate(N_("Set a new password"), language),
                after=(
                    translate(
                        N_("If it was not you, there is nothing to do: your password stays as it is."),
                        language,
                    ),
                ),
                language=language,
            )
    return None


def _who(session: Session, email: str) -> UUID | None:
    query = select(Person.id).where(
        func.lower(Person.email) == email,
        Person.disabled_at.is_(None),
        Person.password_hash.is_not(None),
        select(Membership.person_id).where(Membership.person_id == Person.id).exists(),
    )
    return session.scalar(query)


def _token(key: bytes, reset_id: UUID) -> str:
    signed = hmac.new(key, b"password-reset:" + reset_id.bytes, hashlib.sha256).digest()
    return base64.urlsafe_b64encode(signed).decode().rstrip("=")


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()
