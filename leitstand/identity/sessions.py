"""Signed-in browsers: a random token in a cookie, its SHA-256 in the database, and a CSRF token bound to it."""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.orm import Session

from leitstand.db.models import Membership, Person, UserSession, Workspace
from leitstand.errors import Forbidden, NotFound, NotSignedIn
from leitstand.identity import attempts, audit
from leitstand.identity.access import ROLES, Principal
from leitstand.identity.passwords import hash_password, needs_rehash, verify_password
from leitstand.identity.secret import accepted_keys, signing_key
from leitstand.settings import get_settings

COOKIE = "leitstand_session"
TOKEN_BYTES = 32
# Writing the last sign of life at every request would make every page a write.
TOUCH_EVERY = timedelta(minutes=1)
USER_AGENT_LENGTH = 300


@dataclass(frozen=True)
class SignedIn:
    """A new session: the token goes into the cookie and nowhere else."""

    token: str
    principal: Principal


class SignInFailed(NotSignedIn):
    """E-mail and password don't belong together; which of them is wrong is not told."""

    title, kind = "Sign-in failed", "sign-in-failed"


def sign_in(
    session: Session,
    *,
    email: str,
    password: str,
    address: str,
    user_agent: str,
    previous_token: str | None = None,
) -> SignedIn:
    """Check a password and open a session with a fresh token; the browser's previous session ends.

    A failure is counted in this session's transaction: the caller answers and commits, so that it counts.

    Args:
        address: the client's network address, which is limited as the e-mail is.
        previous_token: what the browser's cookie held.

    Raises:
        SignInFailed: unknown e-mail, wrong password, disabled person or no workspace: all alike, in equal time.
        TooManyRequests: too many failures.
    """
    email = _storable(email.strip().lower())
    attempts.check(session, email=email, address=address)
    found = _find(session, email)
    stored = found[0].password_hash if found else None
    if not verify_password(stored, password) or found is None:
        attempts.note_failure(session, email=email, address=address)
        raise SignInFailed(
            "E-mail and password do not belong together.", hint="Check both; an owner can set a new password."
        )
    person, membership, workspace = found
    attempts.note_success(session, email=email)
    if stored is not None and needs_rehash(stored):
        person.password_hash = hash_password(password)
    if previous_token:
        _end(session, UserSession.token_hash == _digest(previous_token))
    token, opened = _open(session, person, workspace, user_agent)
    principal = _principal(opened.id, person, membership.role, workspace)
    audit.record(session, principal=principal, action="session.sign-in", target=f"person:{person.id}")
    return SignedIn(token, principal)


def sign_in_for(session: Session, *, email: str, user_agent: str) -> SignedIn:
    """Open a session without a password, for whoever has the machine: to try an environment out after a restore.

    Raises:
        NotFound: nobody who is enabled and belongs to a workspace has this e-mail.
    """
    found = _find(session, email.strip().lower())
    if found is None:
        raise NotFound(f"Nobody with the e-mail {email} can sign in.")
    person, membership, workspace = found
    token, opened = _open(session, person, workspace, user_agent)
    principal = _principal(opened.id, person, membership.role, workspace)
    after = {"by": "whoever has the machine", "user_agent": user_agent}
    audit.record(
        session, principal=principal, action="session.sign-in", target=f"person:{person.id}", after=after
    )
    return SignedIn(token, principal)


def authenticate(session: Session, token: str | None) -> Principal | None:
    """Who a token belongs to, or None when it is unknown, ended or expired. Using it puts its end off."""
    if not token:
        return None
    query = (
        select(UserSession, Person, Membership.role, Workspace)
        .join(Person, Person.id == UserSession.person_id)
        .join(Workspace, Workspace.id == UserSession.workspace_id)
        .join(Membership, (Membership.person_id == Person.id) & (Membership.workspace_id == Workspace.id))
        .where(
            UserSession.token_hash == _digest(token),
            UserSession.ended_at.is_(None),
            UserSession.expires_at > func.now(),
            Person.disabled_at.is_(None),
        )
    )
    row = session.execute(query).one_or_none()
    if row is None:
        return None
    signed_in, person, role, workspace = row
    _touch(session, signed_in)
    return _principal(signed_in.id, person, role, workspace)


def sign_out(session: Session, *, principal: Principal) -> None:
    """End the principal's own session."""
    if principal.session_id is None:
        return
    _end(session, UserSession.id == principal.session_id)
    audit.record(
        session, principal=principal, action="session.sign-out", target=f"session:{principal.session_id}"
    )


def list_sessions(session: Session, *, principal: Principal) -> list[UserSession]:
    """The person's sessions that still hold, the last used first."""
    query = select(UserSession).where(
        UserSession.person_id == principal.person_id,
        UserSession.ended_at.is_(None),
        UserSession.expires_at > func.now(),
    )
    return list(session.scalars(query.order_by(UserSession.last_seen_at.desc(), UserSession.id.desc())))


def end_session(session: Session, *, principal: Principal, session_id: UUID) -> None:
    """End one of the person's own sessions.

    Raises:
        NotFound: it is not theirs, or has ended.
    """
    mine = (UserSession.id == session_id) & (UserSession.person_id == principal.person_id)
    if not _end(session, mine):
        raise NotFound("There is no such session.", hint="It may have ended already.")
    audit.record(session, principal=principal, action="session.end", target=f"session:{session_id}")


def end_other_sessions(session: Session, *, principal: Principal) -> int:
    """End every session of the person but this one; how many there were."""
    others = UserSession.person_id == principal.person_id
    if principal.session_id is not None:
        others &= UserSession.id != principal.session_id
    ended = _end(session, others)
    audit.record(session, principal=principal, action="session.end-others", after={"ended": ended})
    return ended


def csrf_token(principal: Principal) -> str:
    """The token that every form and write of this session carries; empty for a principal without a session."""
    if principal.session_id is None:
        return ""
    return _csrf(signing_key(), principal.session_id)


def _csrf(key: bytes, session_id: UUID) -> str:
    return hmac.new(key, b"csrf:" + session_id.bytes, hashlib.sha256).hexdigest()


def check_csrf(principal: Principal, token: str | None) -> None:
    """Refuse a write whose CSRF token is not this session's; pages from before a rotation hold as long as a session.

    Raises:
        Forbidden: it is missing or wrong.
    """
    session_id, given = principal.session_id, (token or "").encode("utf-8", "replace")
    expected = [_csrf(key, session_id) for key in accepted_keys(within=_lifetime())] if session_id else []
    if not any(hmac.compare_digest(one.encode(), given) for one in expected):
        raise Forbidden(
            "This form was not made for your session.", hint="Load the page again and repeat what you did."
        )


def _find(session: Session, email: str) -> tuple[Person, Membership, Workspace] | None:
    """The enabled person of an e-mail and the workspace they joined first."""
    query = (
        select(Person, Membership, Workspace)
        .join(Membership, Membership.person_id == Person.id)
        .join(Workspace, Workspace.id == Membership.workspace_id)
        .where(func.lower(Person.email) == email, Person.disabled_at.is_(None))
        .order_by(Membership.created_at, Workspace.id)
        .limit(1)
    )
    row = session.execute(query).one_or_none()
    return None if row is None else (row[0], row[1], row[2])


def _open(session: Session, person: Person, workspace: Workspace, user_agent: str) -> tuple[str, UserSession]:
    token = secrets.token_urlsafe(TOKEN_BYTES)
    opened = UserSession(
        token_hash=_digest(token),
        person_id=person.id,
        workspace_id=workspace.id,
        user_agent=_storable(user_agent)[:USER_AGENT_LENGTH],
        expires_at=datetime.now(UTC) + _lifetime(),
    )
    session.add(opened)
    session.flush()
    return token, opened


def _principal(session_id: UUID, person: Person, role: str, workspace: Workspace) -> Principal:
    return Principal(
        person_id=person.id,
        workspace_id=workspace.id,
        name=person.name,
        email=person.email,
        role=role,
        permissions=ROLES.get(role, frozenset()),
        session_id=session_id,
        workspace_name=workspace.name,
        zone=workspace.reporting_zone,
        theme=person.theme,
    )


def _touch(session: Session, signed_in: UserSession) -> None:
    now = datetime.now(UTC)
    if now - signed_in.last_seen_at > TOUCH_EVERY:
        values = {"last_seen_at": now, "expires_at": now + _lifetime()}
        # Another request of this browser may hold the row until its own work is done: it writes the same.
        free = (
            select(UserSession.id)
            .where(UserSession.id == signed_in.id, UserSession.ended_at.is_(None))
            .with_for_update(skip_locked=True)
        )
        session.execute(update(UserSession).where(UserSession.id.in_(free)).values(values))


def _end(session: Session, which: ColumnElement[bool]) -> int:
    """End those of the chosen sessions that still hold; how many there were."""
    still_open = which & UserSession.ended_at.is_(None)
    ended = update(UserSession).where(still_open).values(ended_at=func.now()).returning(UserSession.id)
    return len(session.execute(ended).all())


def _storable(text: str) -> str:
    """Text that PostgreSQL takes: without NUL, and lone surrogates replaced."""
    return text.replace("\x00", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()


def _lifetime() -> timedelta:
    return timedelta(hours=get_settings().session_hours)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()
