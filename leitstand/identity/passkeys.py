"""Passkeys (WebAuthn): discoverable credentials with user verification, so that one is enough to sign in.

The challenge of each use is kept with the browser's step and holds once. Which part of an attempt was wrong is not told.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from leitstand.db.models import Passkey
from leitstand.db.row_security import lifted
from leitstand.errors import Conflict, InvalidInput, NotFound
from leitstand.identity import attempts, audit, steps
from leitstand.identity.access import Principal
from leitstand.identity.confirming import confirm_password, myself
from leitstand.identity.people import checked_name
from leitstand.identity.security_mail import tell
from leitstand.identity.sessions import SignedIn, SignInFailed, open_for
from leitstand.settings import get_settings
from leitstand.words import msg

MOST = 20
LONGEST_ANSWER = 20_000
LONGEST_CREDENTIAL = 1_023
RP_NAME = "Leitstand"


@dataclass(frozen=True)
class Begun:
    """What the browser's authenticator is asked (a JSON object as text), and the token of the browser's step."""

    options: str
    token: str


def unavailable() -> str:
    """Why passkeys can't be used at our address; empty where they can."""
    host, scheme = _host(), urlsplit(get_settings().base_url).scheme
    try:
        ip_address(host)
    except ValueError:
        return "" if scheme == "https" or host == "localhost" else "https"
    return "name"


def list_passkeys(session: Session, *, principal: Principal) -> list[Passkey]:
    """The principal's own, oldest first."""
    query = select(Passkey).where(Passkey.person_id == principal.person_id)
    return list(session.scalars(query.order_by(Passkey.created_at, Passkey.id)))


def begin_registration(
    session: Session,
    *,
    principal: Principal,
    password: str,
    address: str = "",
    previous_token: str | None = None,
) -> Begun:
    """What a new passkey is made from.

    Raises:
        InvalidInput: the password is wrong.
        TooManyRequests: too many wrong ones.
        Conflict: the person has too many.
    """
    from webauthn import generate_registration_options, options_to_json
    from webauthn.helpers import bytes_to_base64url, structs

    person = confirm_password(session, principal=principal, password=password, address=address)
    known = list_passkeys(session, principal=principal)
    if len(known) >= MOST:
        raise Conflict(
            msg("You have {most} passkeys already.", most=MOST), hint="Remove those that you do not use."
        )
    options = generate_registration_options(
        rp_id=_host(),
        rp_name=RP_NAME,
        user_id=person.id.bytes,
        user_name=person.email,
        user_display_name=person.name,
        authenticator_selection=structs.AuthenticatorSelectionCriteria(
            resident_key=structs.ResidentKeyRequirement.REQUIRED,
            user_verification=structs.UserVerificationRequirement.REQUIRED,
        ),
        exclude_credentials=[structs.PublicKeyCredentialDescriptor(id=one.credential) for one in known],
    )
    token = steps.begin(
        session,
        steps.NEW_PASSKEY,
        person_id=person.id,
        data={"challenge": bytes_to_base64url(options.challenge)},
        previous_token=previous_token,
    )
    return Begun(options_to_json(options), token)


def register(session: Session, *, principal: Principal, token: str | None, answer: str, name: str) -> Passkey:
    """Keep a new passkey.

    Args:
        token: of the browser's step.
        answer: what the authenticator said, a JSON object as text.
        name: by which its owner knows it.

    Raises:
        StepExpired: it took too long, or is done already.
        InvalidInput: the name is not fit, or the answer does not hold.
        Conflict: the passkey is known already.
    """
    from webauthn import verify_registration_response
    from webauthn.helpers import base64url_to_bytes
    from webauthn.helpers.exceptions import WebAuthnException

    person, name = myself(session, principal), checked_name(name)
    step = steps.take(session, steps.NEW_PASSKEY, token)
    if step.person_id != person.id:
        raise steps.StepExpired("This was begun by somebody else.", hint="Begin again.")
    try:
        verified = verify_registration_response(
            credential=_checked_length(answer),
            expected_challenge=base64url_to_bytes(step.data["challenge"]),
            expected_rp_id=_host(),
            expected_origin=_origin(),
            require_user_verification=True,
        )
    except (WebAuthnException, ValueError, KeyError, TypeError) as error:
        raise InvalidInput(
            "The passkey could not be checked.", hint="Try again, or use another device."
        ) from error
    if len(verified.credential_id) > LONGEST_CREDENTIAL:
        raise InvalidInput("The passkey could not be checked.", hint="Try again, or use another device.")
    with lifted(session, "a passkey is one person's of all"):
        known = session.scalar(select(Passkey.id).where(Passkey.credential == verified.credential_id))
    if known:
        raise Conflict("This passkey is known already.")
    passkey = Passkey(
        person_id=person.id,
        name=name,
        credential=verified.credential_id,
        public_key=verified.credential_public_key,
        sign_count=verified.sign_count,
    )
    session.add(passkey)
    session.flush()
    audit.record(
        session,
        principal=principal,
        action="passkey.add",
        target=f"passkey:{passkey.id}",
        after={"name": name},
    )
    tell(session, person_id=person.id, event="passkey-added")
    return passkey


def remove(session: Session, *, principal: Principal, passkey_id: UUID) -> None:
    """Remove one of the principal's own; it can't sign in any more.

    Raises:
        NotFound: it is not theirs.
    """
    person = myself(session, principal)
    passkey = session.scalar(select(Passkey).where(Passkey.id == passkey_id, Passkey.person_id == person.id))
    if passkey is None:
        raise NotFound("There is no such passkey.", hint="It may have been removed already.")
    session.delete(passkey)
    before = {"name": passkey.name}
    audit.record(
        session, principal=principal, action="passkey.remove", target=f"passkey:{passkey_id}", before=before
    )
    tell(session, person_id=person.id, event="passkey-removed")


def begin_sign_in(session: Session, *, previous_token: str | None = None) -> Begun:
    """What any passkey for this site is asked to sign; whose it is shows afterwards."""
    from webauthn import generate_authentication_options, options_to_json
    from webauthn.helpers import bytes_to_base64url, structs

    options = generate_authentication_options(
        rp_id=_host(), user_verification=structs.UserVerificationRequirement.REQUIRED
    )
    data = {"challenge": bytes_to_base64url(options.challenge)}
    token = steps.begin(session, steps.PASSKEY, data=data, previous_token=previous_token)
    return Begun(options_to_json(options), token)


def sign_in(
    session: Session,
    *,
    token: str | None,
    answer: str,
    address: str,
    user_agent: str,
    previous_token: str | None = None,
) -> SignedIn:
    """Sign in whoever's passkey signed the challenge. A failure counts: the caller answers and commits.

    Args:
        token: of the browser's step, which holds once.
        answer: what the authenticator said, a JSON object as text.
        previous_token: of the session that the browser had.

    Raises:
        StepExpired: it took too long, or is done already.
        SignInFailed: the passkey is unknown or removed, the signature wrong, or its person can't sign in: all alike.
        TooManyRequests: too many failures.
    """
    attempts.check_address(session, address=address)
    step = steps.take(session, steps.PASSKEY, token)
    try:
        passkey = _verified(session, answer, challenge=step.data["challenge"])
        if passkey is not None:
            return open_for(
                session,
                person_id=passkey.person_id,
                user_agent=user_agent,
                by="passkey",
                previous_token=previous_token,
            )
    except SignInFailed:
        pass
    attempts.note_address_failure(session, address=address)
    raise SignInFailed("This passkey does not sign in here.", hint="Use another one, or your password.")


def _verified(session: Session, answer: str, *, challenge: str) -> Passkey | None:
    """The passkey that signed; None where anything about it is wrong."""
    from webauthn import verify_authentication_response
    from webauthn.helpers import base64url_to_bytes, parse_authentication_credential_json
    from webauthn.helpers.exceptions import WebAuthnException

    try:
        given = parse_authentication_credential_json(_checked_length(answer))
        query = select(Passkey).where(Passkey.credential == given.raw_id).with_for_update()
        passkey = session.scalar(query)
        if passkey is None or given.response.user_handle != passkey.person_id.bytes:
            return None
        verified = verify_authentication_response(
            credential=given,
            expected_challenge=base64url_to_bytes(challenge),
            expected_rp_id=_host(),
            expected_origin=_origin(),
            credential_public_key=passkey.public_key,
            credential_current_sign_count=passkey.sign_count,
            require_user_verification=True,
        )
    except (WebAuthnException, InvalidInput, ValueError, KeyError, TypeError):
        return None
    passkey.sign_count, passkey.last_used_at = verified.new_sign_count, datetime.now(UTC)
    session.flush()
    return passkey


def _checked_length(answer: str) -> str | dict[str, Any]:
    if not 0 < len(answer) <= LONGEST_ANSWER:
        raise InvalidInput("The passkey could not be checked.", hint="Try again, or use another device.")
    return answer


def _host() -> str:
    return urlsplit(get_settings().base_url).hostname or ""


def _origin() -> str:
    parts = urlsplit(get_settings().base_url)
    return f"{parts.scheme}://{parts.netloc}"
