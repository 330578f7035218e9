"""Asking a signed-in person for their password once more, before how they sign in is changed."""

from sqlalchemy.orm import Session

from leitstand.db.models import Person
from leitstand.errors import Forbidden, InvalidInput, NotFound
from leitstand.identity import attempts
from leitstand.identity.access import Principal, require_person
from leitstand.identity.passwords import verify_password


def myself(session: Session, principal: Principal) -> Person:
    """The principal's own row.

    Raises:
        Forbidden: a token asks.
        NotFound: the principal is no person.
    """
    require_person(principal)
    person = session.get(Person, principal.person_id) if principal.person_id else None
    if person is None:
        raise NotFound("There is no such person.")
    return person


def confirm_password(session: Session, *, principal: Principal, password: str, address: str = "") -> Person:
    """The principal's own row, once their password is right. A wrong one counts as a failed sign-in.

    Raises:
        InvalidInput: the password is wrong.
        Forbidden: a token asks, or the person has no password.
        TooManyRequests: too many wrong ones.
    """
    person = myself(session, principal)
    if person.password_hash is None:
        raise Forbidden(
            "Your account has no password: you sign in with your organisation's sign-on.",
            hint="Change how you sign in there.",
        )
    attempts.check(session, email=person.email.lower(), address=address)
    if not verify_password(person.password_hash, password):
        raise _wrong(session, person, address)
    return person


def confirm_oneself(session: Session, *, principal: Principal, word: str, address: str = "") -> Person:
    """As `confirm_password`; who has no password, as they sign in elsewhere, types their e-mail instead.

    Raises:
        InvalidInput: the password or the e-mail is wrong.
        Forbidden: a token asks.
        TooManyRequests: too many wrong ones.
    """
    person = myself(session, principal)
    if person.password_hash is not None:
        return confirm_password(session, principal=principal, password=word, address=address)
    attempts.check(session, email=person.email.lower(), address=address)
    if word.strip().lower() != person.email.lower():
        raise _wrong(session, person, address)
    return person


def _wrong(session: Session, person: Person, address: str) -> InvalidInput:
    attempts.note_failure(session, email=person.email.lower(), address=address)
    return InvalidInput("The current password is not right.")
