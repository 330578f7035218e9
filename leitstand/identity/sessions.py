"""Signed-in browsers: a random token in a cookie, its SHA-256 in the database, and a CSRF token bound to it."""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, bindparam, delete, func, or_, select, update
from sqlalchemy.orm import Session, aliased

from leitstand.db import row_security
from leitstand.db.models import Membership, OneTimeCode, Person, UserSession, Workspace
from leitstand.db.row_security import beyond
from leitstand.errors import Forbidden, NotFound, NotSignedIn
from leitstand.identity import attempts, audit
from leitstand.identity.access import Principal, require_oneself
from leitstand.identity.membership import OWN_PERMISSIONS, holds, permissions_of, with_role
from leitstand.identity.passwords import hash_password, needs_rehash, verify_password
from leitstand.identity.secret import accepted_keys, signing_key
from leitstand.identity.security_mail import tell
from leitstand.identity.texts import storable
from leitstand.settings import get_settings
from leitstand.words import msg

COOKIE = "leitstand_session"
TOKEN_BYTES = 32
# Writing the last sign of life at every request would make every page a write.
TOUCH_EVERY = timedelta(minutes=1)
# For so long after its end a session can still be asked about.
KEEP = timedelta(days=30)
USER_AGENT_LENGTH = 300
# What a principal has of the rows of its session, person, place and workspace.
WHO = {
    "session_id": UserSession.id, "person_id": Person.id, "name": Person.name, "email": Person.email,
    "own_zone": Person.zone, "theme": Person.theme, "language": Person.language, "role": Membership.role,
    "workspace_id": Workspace.id, "workspace_name": Workspace.name, "zone": Workspace.reporting_zone,
}  # fmt: skip
# A person, their role, their workspace, and the permissions of a role of its own.
Place = tuple[Person, str, Workspace, list[str] | None]


@dataclass(frozen=True)
class SignedIn:
    """A new session: the token goes into the cookie and nowhere else."""

    token: str
    principal: Principal


class SignInFailed(NotSignedIn):
    """E-mail and password don't belong together; which of them is wrong is not told."""

    title, kind = "Sign-in failed", "sign-in-failed"


class CodeNeeded(NotSignedIn):
    """The password is right, and this person's one-time code is asked for besides: nobody is signed in yet."""

    title, kind = "Enter your code", "code-needed"

    def __init__(self, person_id: UUID) -> None:
        super().__init__("The one-time code is needed as well.", hint="Sign in on the page /sign-in.")
        self.person_id = person_id


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
        CodeNeeded: the person uses one-time codes; failures are forgotten only when the code is right too.
        TooManyRequests: too many failures.
    """
    email = storable(email.strip().lower())
    attempts.check(session, email=email, address=address)
    found = _find(session, func.lower(Person.email) == email)
    stored = found[0].password_hash if found else None
    if not verify_password(stored, password) or found is None:
        attempts.note_failure(session, email=email, address=address)
        raise SignInFailed(
            "E-mail and password do not belong together.", hint="Check both, or ask for a new password."
        )
    person = found[0]
    if stored is not None and needs_rehash(stored):
        person.password_hash = hash_password(password)
    if uses_codes(session, person.id):
        raise CodeNeeded(person.id)
    attempts.note_success(session, email=email)
    return _opened(session, found, user_agent=user_agent, previous_token=previous_token)


def open_for(
    session: Session,
    *,
    person_id: UUID,
    user_agent: str,
    by: str,
    previous_token: str | None = None,
    workspace_id: UUID | None = None,
) -> SignedIn:
    """Open a session for somebody who has proven who they are in another way than by a password alone.

    Args:
        by: how, for the audit log.
        previous_token: what the browser's cookie held; that session ends.
        workspace_id: where they sign in to; None: the workspace that they joined first.

    Raises:
        SignInFailed: they are disabled, or belong to no workspace or not to that one.
    """
    found = _find(session, Person.id == person_id, workspace_id)
    if found is None:
        raise SignInFailed("You can't sign in here.", hint="Ask an owner or admin of your workspace.")
    return _opened(session, found, user_agent=user_agent, previous_token=previous_token, by=by)


def uses_codes(session: Session, person_id: UUID) -> bool:
    """Whether a person is asked for a one-time code when they sign in with a password or elsewhere."""
    query = select(OneTimeCode.person_id).where(OneTimeCode.person_id == person_id)
    return session.scalar(query.where(OneTimeCode.confirmed_at.is_not(None))) is not None


def _opened(
    session: Session,
    place: Place,
    *,
    user_agent: str,
    previous_token: str | None,
    by: str = "",
) -> SignedIn:
    """A new session, noted in the audit log; the person is told where they wish to be, and it is an unknown browser's."""
    person, _, workspace, _ = place
    if previous_token:
        _end(session, UserSession.token_hash == _digest(previous_token))
    if person.sign_in_mails and not _knows(session, person.id, user_agent):
        tell(session, person_id=person.id, event="new-browser")
    token, opened = _open(session, person, workspace, user_agent)
    principal = _principal(opened.id, *place)
    audit.record(
        session,
        principal=principal,
        action="session.sign-in",
        target=f"person:{person.id}",
        after={"by": by} if by else None,
    )
    return SignedIn(token, principal)


def _knows(session: Session, person_id: UUID, user_agent: str) -> bool:
    """Whether a browser of this kind has signed this person in before; another version of it is no other browser."""
    query = select(UserSession.user_agent).where(UserSession.person_id == person_id).distinct()
    return _kind_of(user_agent) in {_kind_of(known) for known in session.scalars(query)}


def _kind_of(user_agent: str) -> str:
    return re.sub(r"[\d.]+", "", storable(user_agent)[:USER_AGENT_LENGTH])


def sign_in_for(session: Session, *, email: str, user_agent: str) -> SignedIn:
    """Open a session without a password, for whoever has the machine: to try an environment out after a restore.

    Raises:
        NotFound: nobody who is enabled and belongs to a workspace has this e-mail.
    """
    found = _find(session, func.lower(Person.email) == email.strip().lower())
    if found is None:
        raise NotFound(msg("Nobody with the e-mail {email} can sign in.", email=email))
    person, workspace = found[0], found[2]
    token, opened = _open(session, person, workspace, user_agent)
    principal = _principal(opened.id, *found)
    after = {"by": "whoever has the machine", "user_agent": user_agent}
    audit.record(
        session, principal=principal, action="session.sign-in", target=f"person:{person.id}", after=after
    )
    return SignedIn(token, principal)


def authenticate(session: Session, token: str | None, *, enter: bool = False) -> Principal | None:
    """Who a token belongs to, or None when it is unknown, ended or expired. Using it puts its end off.

    Where an owner acts as somebody, the owner must still be one, and the session they began from must still hold.

    Args:
        enter: from here on the transaction sees the rows of their workspace alone (see `row_security.enter`).
    """
    if not token:
        return None
    # On the connection: every request asks this, and the session would look at the row for objects to load.
    row = session.connection().execute(_by_token(enter), {"digest": _digest(token)}).one_or_none()
    if row is None:
        return None
    _touch(session, row.session_id, row.last_seen_at, row.acting_from)
    return Principal(
        **{name: getattr(row, name) for name in WHO},
        permissions=permissions_of(row.role, row.own),
        impersonator=row.impersonator or "",
    )


@lru_cache(maxsize=2)
def _by_token(enter: bool) -> Select[Any]:
    """The query of a session that holds, by the `digest` of its token; made once, since every request asks it."""
    began, actor, actors_place = aliased(UserSession), aliased(Person), aliased(Membership)
    entering = row_security.entering(UserSession.workspace_id, UserSession.person_id) if enter else ()
    return with_role(
        select(
            *(column.label(name) for name, column in WHO.items()),
            UserSession.last_seen_at,
            UserSession.acting_from,
            OWN_PERMISSIONS.label("own"),
            actor.email.label("impersonator"),
            *entering,
        )
        .select_from(UserSession)
        .join(Person, Person.id == UserSession.person_id)
        .join(Workspace, Workspace.id == UserSession.workspace_id)
        .join(Membership, (Membership.person_id == Person.id) & (Membership.workspace_id == Workspace.id))
        .outerjoin(began, began.id == UserSession.acting_from)
        .outerjoin(actor, actor.id == began.person_id)
        .outerjoin(
            actors_place,
            (actors_place.person_id == actor.id) & (actors_place.workspace_id == UserSession.workspace_id),
        )
        .where(
            UserSession.token_hash == bindparam("digest"),
            UserSession.ended_at.is_(None),
            UserSession.expires_at > func.now(),
            Person.disabled_at.is_(None),
            holds(),
            or_(
                UserSession.acting_from.is_(None),
                and_(
                    began.ended_at.is_(None), began.expires_at > func.now(), actor.disabled_at.is_(None),
                    actors_place.role == "owner", holds(actors_place),
                ),
            ),
        )
    )  # fmt: skip


def open_at(
    session: Session,
    *,
    person: Person,
    workspace_id: UUID,
    user_agent: str,
    acting_from: UUID | None = None,
    lifetime: timedelta | None = None,
) -> SignedIn:
    """Open a session in a workspace for somebody of whom the caller knows who they are.

    Args:
        acting_from: the session of the owner who acts as them.
        lifetime: after which it ends, used or not; None: as any session.

    Raises:
        NotFound: they have no place there that holds.
    """
    found = _find(session, Person.id == person.id, workspace_id)
    if found is None:
        raise NotFound("This person has no place in the workspace.")
    _, role, workspace, own = found
    token, opened = _open(session, person, workspace, user_agent)
    if acting_from is not None:
        opened.acting_from = acting_from
    if lifetime is not None:
        opened.expires_at = datetime.now(UTC) + lifetime
    session.flush()
    return SignedIn(token, _principal(opened.id, person, role, workspace, own))


def new_token(session: Session, *, session_id: UUID) -> str | None:
    """A fresh token for a session that still holds, in the place of its own; None where it has ended."""
    token = secrets.token_urlsafe(TOKEN_BYTES)
    still_open = (UserSession.id == session_id) & UserSession.ended_at.is_(None)
    changed = update(UserSession).where(still_open, UserSession.expires_at > func.now())
    found = session.scalar(changed.values(token_hash=_digest(token)).returning(UserSession.id))
    return token if found else None


def forget_ended(session: Session) -> int:
    """Delete the sessions of all people that ended 30 days ago, with what browser they were; how many."""
    end = func.least(UserSession.expires_at, UserSession.ended_at)
    gone = delete(UserSession).where(end < datetime.now(UTC) - KEEP)
    return len(session.execute(gone.returning(UserSession.id)).all())


def sign_out(session: Session, *, principal: Principal) -> None:
    """End the principal's own session."""
    if principal.session_id is None:
        return
    _end(session, UserSession.id == principal.session_id)
    audit.record(
        session, principal=principal, action="session.sign-out", target=f"session:{principal.session_id}"
    )


@beyond("a person's sessions are in every workspace of theirs")
def list_sessions(session: Session, *, principal: Principal) -> list[UserSession]:
    """The person's sessions that still hold, the last used first."""
    query = select(UserSession).where(
        UserSession.person_id == principal.person_id,
        UserSession.acting_from.is_(None),
        UserSession.ended_at.is_(None),
        UserSession.expires_at > func.now(),
    )
    return list(session.scalars(query.order_by(UserSession.last_seen_at.desc(), UserSession.id.desc())))


@beyond("a person's sessions are in every workspace of theirs")
def end_session(session: Session, *, principal: Principal, session_id: UUID) -> None:
    """End one of the person's own sessions.

    Raises:
        NotFound: it is not theirs, or has ended.
        Forbidden: an owner acts as them.
    """
    require_oneself(principal)
    mine = (UserSession.id == session_id) & (UserSession.person_id == principal.person_id)
    if not _end(session, mine):
        raise NotFound("There is no such session.", hint="It may have ended already.")
    audit.record(session, principal=principal, action="session.end", target=f"session:{session_id}")


@beyond("a person's sessions are in every workspace of theirs")
def end_other_sessions(session: Session, *, principal: Principal) -> int:
    """End every session of the person but this one; how many there were.

    Raises:
        Forbidden: an owner acts as them.
    """
    require_oneself(principal)
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


def _find(session: Session, who: ColumnElement[bool], workspace_id: UUID | None = None) -> Place | None:
    """An enabled person and that workspace, or the one they joined first; only where their place holds."""
    query = with_role(
        select(Person, Membership.role, Workspace, OWN_PERMISSIONS)
        .select_from(Person)
        .join(Membership, Membership.person_id == Person.id)
        .join(Workspace, Workspace.id == Membership.workspace_id)
        .where(
            who,
            Person.disabled_at.is_(None),
            holds(),
            *([Workspace.id == workspace_id] if workspace_id else []),
        )
        .order_by(Membership.created_at, Workspace.id)
        .limit(1)
    )
    row = session.execute(query).one_or_none()
    return None if row is None else (row[0], row[1], row[2], row[3])


def _open(session: Session, person: Person, workspace: Workspace, user_agent: str) -> tuple[str, UserSession]:
    token = secrets.token_urlsafe(TOKEN_BYTES)
    opened = UserSession(
        token_hash=_digest(token),
        person_id=person.id,
        workspace_id=workspace.id,
        user_agent=storable(user_agent)[:USER_AGENT_LENGTH],
        expires_at=datetime.now(UTC) + _lifetime(),
    )
    session.add(opened)
    session.flush()
    return token, opened


def _principal(
    session_id: UUID,
    person: Person,
    role: str,
    workspace: Workspace,
    own: list[str] | None,
) -> Principal:
    return Principal(
        person_id=person.id,
        workspace_id=workspace.id,
        name=person.name,
        email=person.email,
        role=role,
        permissions=permissions_of(role, own),
        session_id=session_id,
        workspace_name=workspace.name,
        zone=workspace.reporting_zone,
        own_zone=person.zone,
        theme=person.theme,
        language=person.language,
    )


def _touch(session: Session, session_id: UUID, last_seen_at: datetime, acting_from: UUID | None) -> None:
    now = datetime.now(UTC)
    if now - last_seen_at > TOUCH_EVERY:
        values = {"last_seen_at": now}
        if acting_from is None:
            values["expires_at"] = now + _lifetime()
        # Another request of this browser may hold the row until its own work is done: it writes the same.
        free = (
            select(UserSession.id)
            .where(UserSession.id == session_id, UserSession.ended_at.is_(None))
            .with_for_update(skip_locked=True)
        )
        session.execute(update(UserSession).where(UserSession.id.in_(free)).values(values))


def _end(session: Session, which: ColumnElement[bool]) -> int:
    """End those of the chosen sessions that still hold; how many there were."""
    still_open = which & UserSession.ended_at.is_(None)
    ended = update(UserSession).where(still_open).values(ended_at=func.now()).returning(UserSession.id)
    return len(session.execute(ended).all())


def _lifetime() -> timedelta:
    return timedelta(hours=get_settings().session_hours)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()
