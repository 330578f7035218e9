"""Invitations: a place in the workspace offered to an e-mail, sent again, revoked; see `joining` for who accepts."""

import base64
import hashlib
import hmac
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, select, update
from sqlalchemy.orm import Session

from leitstand.db.models import Invitation, InvitationGrant, Membership, Person
from leitstand.db.models.base import new_id
from leitstand.db.row_security import lifted
from leitstand.errors import Conflict, InvalidInput, NotFound, TooManyRequests
from leitstand.identity import audit
from leitstand.identity.access import EXTERNAL, Principal, require
from leitstand.identity.groups import get_group
from leitstand.identity.members import checked_end
from leitstand.identity.people import checked_email
from leitstand.identity.roles import MANAGE, OWNER, require_assignable
from leitstand.identity.secret import accepted_keys, signing_key
from leitstand.jobs.queue import enqueue
from leitstand.mail.settings import mail_off
from leitstand.settings import get_settings
from leitstand.words import msg
from leitstand.words.letters import without_controls

LIFETIME = timedelta(days=7)
EXTERNAL_STAY = timedelta(days=90)
MOST_AT_ONCE = 50
# In an hour, of the whole workspace: whoever takes over an account must not send mail to the world in our name.
MOST_AN_HOUR = 200
RESEND_AFTER = timedelta(minutes=1)
MESSAGE_LENGTH = 1_000
JOB = "identity.invite"
OPEN = and_(Invitation.accepted_at.is_(None), Invitation.revoked_at.is_(None))


@dataclass(frozen=True)
class Sent:
    """An invitation; `link` is to be handed over by its sender where no mail goes out, and empty where one does."""

    invitation: Invitation
    link: str
    why: str = ""


def invite(
    session: Session,
    *,
    principal: Principal,
    emails: Collection[str],
    role: str,
    group_ids: Collection[UUID] = (),
    message: str = "",
    member_until: datetime | None = None,
) -> list[Sent]:
    """Offer a place in the workspace to one or several e-mails.

    An e-mail that has an open invitation gets the new offer in its place.

    Args:
        message: a few words of the sender's, in the mail.
        member_until: when the membership that comes of it ends by itself; None: never.

    Raises:
        Forbidden: without `member:manage`, or the role permits what the principal may not.
        InvalidInput: an e-mail is none, there are too many or none, or the end is not fit.
        NotFound: there is no such role or group.
        Conflict: somebody of an e-mail is in the workspace already.
        TooManyRequests: too many were sent within an hour.
    """
    require(principal, MANAGE)
    require_assignable(session, principal=principal, name=role)
    for group_id in group_ids:
        get_group(session, principal=principal, group_id=group_id)
    if member_until is not None and role == OWNER:
        raise InvalidInput("An owner's place has no end.", hint="Leave the end out, or choose another role.")
    wanted = _checked_emails(emails)
    return [
        offer(
            session,
            principal=principal,
            email=email,
            role=role,
            group_ids=group_ids,
            message=message,
            member_until=member_until,
        )
        for email in wanted
    ]


def offer(
    session: Session,
    *,
    principal: Principal,
    email: str,
    role: str,
    group_ids: Collection[UUID] = (),
    message: str = "",
    member_until: datetime | None = None,
) -> Sent:
    """Write one invitation and send it; the caller has checked that the principal may offer this.

    Raises:
        as `invite`.
    """
    checked_end(member_until)
    email = checked_email(email)
    if _belongs(session, principal.workspace_id, email):
        raise Conflict(
            msg("{email} is in this workspace already.", email=email), hint="Change their place on its page."
        )
    _check_rate(session, principal)
    earlier = _withdraw(session, principal, email)
    invitation_id, now = new_id(), datetime.now(UTC)
    invitation = Invitation(
        id=invitation_id,
        workspace_id=principal.workspace_id,
        email=email,
        role=role,
        group_ids=list(dict.fromkeys(group_ids)),
        message=_checked_message(message),
        token_hash=digest(token_of(invitation_id)),
        invited_by=principal.person_id,
        sent_at=now,
        expires_at=now + LIFETIME,
        member_until=member_until,
    )
    session.add(invitation)
    session.flush()
    if earlier is not None:
        held = update(InvitationGrant).where(InvitationGrant.invitation_id == earlier)
        session.execute(held.values(invitation_id=invitation_id))
    until = member_until.isoformat() if member_until else None
    after = {"email": email, "role": role, "member_until": until, "groups": [str(one) for one in group_ids]}
    _note(session, principal, invitation_id, "create", after=after)
    return _send(session, invitation)


def list_open(
    session: Session, *, principal: Principal, external: bool | None = None
) -> Sequence[tuple[Invitation, str]]:
    """The invitations that are neither accepted nor revoked, the newest first, with who sent them; expired ones too.

    Args:
        external: only those of external people (true), or only those of members (false).

    Raises:
        Forbidden: without `member:manage`.
    """
    require(principal, MANAGE)
    query = (
        select(Invitation, func.coalesce(Person.name, ""))
        .outerjoin(Person, Person.id == Invitation.invited_by)
        .where(Invitation.workspace_id == principal.workspace_id, OPEN)
    )
    if external is not None:
        role = Invitation.role == EXTERNAL
        query = query.where(role if external else ~role)
    newest = query.order_by(Invitation.created_at.desc(), Invitation.id.desc()).limit(500)
    with lifted(session, "whoever invited may have left the workspace since"):
        return session.execute(newest).tuples().all()


def resend(session: Session, *, principal: Principal, invitation_id: UUID) -> Sent:
    """Send an open invitation again; it holds for another week. Links of before a rotation of the key end.

    Raises:
        Forbidden: without `member:manage`, or it offers what the principal may not give.
        NotFound: there is no such open invitation.
        TooManyRequests: it was sent within the last minute, or too many were within an hour.
    """
    invitation = _open(session, principal, invitation_id)
    require_assignable(session, principal=principal, name=invitation.role)
    now = datetime.now(UTC)
    if now - invitation.sent_at < RESEND_AFTER:
        raise TooManyRequests(
            "This invitation was sent a moment ago.",
            hint="Wait a minute.",
            details={"retry_after": int(RESEND_AFTER.total_seconds())},
        )
    _check_rate(session, principal)
    invitation.sent_at, invitation.expires_at = now, now + LIFETIME
    invitation.token_hash = digest(token_of(invitation.id))
    session.flush()
    _note(session, principal, invitation_id, "resend")
    return _send(session, invitation)


def revoke(session: Session, *, principal: Principal, invitation_id: UUID) -> None:
    """Take an open invitation back: its link opens nothing from then on.

    Raises:
        Forbidden: without `member:manage`.
        NotFound: there is no such open invitation.
    """
    invitation = _open(session, principal, invitation_id)
    invitation.revoked_at = datetime.now(UTC)
    session.flush()
    _note(session, principal, invitation_id, "revoke", before={"email": invitation.email})


def token_of(invitation_id: UUID, *, key: bytes | None = None) -> str:
    """The token of an invitation: made from its id with the session secret, so that it is kept nowhere."""
    made = hmac.new(key or signing_key(), b"invitation:" + invitation_id.bytes, hashlib.sha256).digest()
    return base64.urlsafe_b64encode(made).decode().rstrip("=")


def link_of(invitation: Invitation) -> str:
    """The address that its mail leads to; also after a rotation of the session secret, until it is sent again.

    Raises:
        NotFound: no key that is still taken made its token.
    """
    for key in accepted_keys():
        token = token_of(invitation.id, key=key)
        if hmac.compare_digest(digest(token), invitation.token_hash):
            return f"{get_settings().base_url}/join/{token}"
    raise NotFound("The key of this invitation is gone.", hint="Send the invitation again.")


def digest(token: str) -> bytes:
    """What is kept of a token."""
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()


def is_open() -> ColumnElement[bool]:
    """Whether an invitation can be accepted now."""
    return and_(OPEN, Invitation.expires_at > func.now())


def _send(session: Session, invitation: Invitation) -> Sent:
    why = mail_off(get_settings())
    if why:
        return Sent(invitation, link_of(invitation), why)
    enqueue(session, JOB, invitation_id=invitation.id)
    return Sent(invitation, "")


def _open(session: Session, principal: Principal, invitation_id: UUID) -> Invitation:
    require(principal, MANAGE)
    query = select(Invitation).where(
        Invitation.id == invitation_id, Invitation.workspace_id == principal.workspace_id, OPEN
    )
    invitation = session.scalar(query.with_for_update())
    if invitation is None:
        raise NotFound(
            "There is no such open invitation.", hint="It may have been accepted or revoked meanwhile."
        )
    return invitation


def _withdraw(session: Session, principal: Principal, email: str) -> UUID | None:
    """An earlier offer to the same e-mail gives way to the new one, which takes over what it held ready."""
    query = select(Invitation).where(
        Invitation.workspace_id == principal.workspace_id, func.lower(Invitation.email) == email, OPEN
    )
    earlier = session.scalar(query.with_for_update())
    if earlier is None:
        return None
    require_assignable(session, principal=principal, name=earlier.role)
    earlier.revoked_at = datetime.now(UTC)
    session.flush()
    return earlier.id


def _belongs(session: Session, workspace_id: UUID, email: str) -> bool:
    """Whether somebody of the e-mail has a place here that has not run out; one that has may be offered again."""
    unexpired = Membership.expires_at.is_(None) | (Membership.expires_at > func.now())
    query = (
        select(Person.id)
        .join(Membership, Membership.person_id == Person.id)
        .where(Membership.workspace_id == workspace_id, func.lower(Person.email) == email)
        .where(unexpired | Membership.suspended_at.is_not(None))
    )
    return session.scalar(query) is not None


def _check_rate(session: Session, principal: Principal) -> None:
    recent = select(func.count()).where(
        Invitation.workspace_id == principal.workspace_id,
        Invitation.sent_at > datetime.now(UTC) - timedelta(hours=1),
    )
    if (session.scalar(recent) or 0) >= MOST_AN_HOUR:
        raise TooManyRequests(
            msg("{most_an_hour} invitations were sent within an hour.", most_an_hour=MOST_AN_HOUR),
            hint="Wait an hour, or send fewer.",
            details={"retry_after": 3600},
        )


def _checked_emails(emails: Collection[str]) -> list[str]:
    found = list(dict.fromkeys(checked_email(email) for email in emails if email.strip()))
    if not found:
        raise InvalidInput("No e-mail address was given.", hint="Write one on each line.")
    if len(found) > MOST_AT_ONCE:
        raise InvalidInput(
            msg("At most {most_at_once} people are invited at once.", most_at_once=MOST_AT_ONCE)
        )
    return found


def _checked_message(message: str) -> str:
    lines = message.replace("\r\n", "\n").split("\n")
    text = "\n".join(without_controls(line).rstrip() for line in lines).strip()
    if len(text) > MESSAGE_LENGTH:
        raise InvalidInput(
            msg("The message may have at most {message_length:,} characters.", message_length=MESSAGE_LENGTH)
        )
    return text


def _note(
    session: Session,
    principal: Principal,
    invitation_id: UUID,
    verb: str,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> None:
    target = f"invitation:{invitation_id}"
    audit.record(
        session, principal=principal, action=f"invitation.{verb}", target=target, before=before, after=after
    )
