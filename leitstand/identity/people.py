"""People: owners and members, their passwords and their profile."""

import re
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from leitstand.db.models import Membership, Person, UserSession
from leitstand.errors import Conflict, InvalidInput, NotFound
from leitstand.identity import attempts, audit, steps
from leitstand.identity.access import EXTERNAL, ROLES, Principal, system_principal
from leitstand.identity.confirming import confirm_password, myself
from leitstand.identity.membership import holds
from leitstand.identity.passwords import check_choice, hash_password
from leitstand.identity.security_mail import tell
from leitstand.identity.sessions import end_other_sessions
from leitstand.identity.workspaces import checked_zone
from leitstand.limits.room import require_room
from leitstand.words import LANGUAGES, msg
from leitstand.words.letters import without_controls

EMAIL = re.compile(r"[^@\s\x00-\x1f\ud800-\udfff]{1,64}@[^@\s\x00-\x1f\ud800-\udfff]{1,190}")
NAME_LENGTH = 100
THEMES = ("system", "light", "dark")


def create_owner(session: Session, *, email: str, name: str, password: str, workspace_id: UUID) -> Person:
    """Create a person who owns the workspace.

    Raises:
        InvalidInput: the e-mail, name or password is not fit.
        Conflict: somebody has this e-mail already.
    """
    return create_person(
        session, email=email, name=name, password=password, workspace_id=workspace_id, role="owner"
    )


def create_person(
    session: Session, *, email: str, name: str, password: str, workspace_id: UUID, role: str
) -> Person:
    """Create a person with a role in a workspace; for the command line, which has the machine already.

    Raises:
        InvalidInput: the e-mail, name, role or password is not fit.
        Conflict: somebody has this e-mail already.
        LimitReached: the plan has no room for another member.
    """
    email, name = checked_email(email), checked_name(name)
    if role not in ROLES:
        raise InvalidInput(
            msg("There is no role {role!r}.", role=role),
            hint=msg("Roles are: {roles}.", roles=", ".join(ROLES)),
        )
    check_choice(password, email=email, name=name)
    if session.scalar(select(Person.id).where(func.lower(Person.email) == email)):
        raise Conflict(
            msg("Somebody with the e-mail {email} is there already.", email=email),
            hint="Set a new password with `leitstand person reset-password`.",
        )
    if role != EXTERNAL:
        require_room(session, workspace_id, "members")
    person = Person(email=email, name=name, password_hash=hash_password(password))
    session.add(person)
    session.flush()
    session.add(Membership(workspace_id=workspace_id, person_id=person.id, role=role))
    after = {"email": email, "name": name, "role": role}
    audit.record(
        session,
        principal=system_principal(workspace_id),
        action="person.create",
        target=f"person:{person.id}",
        after=after,
    )
    return person


def find_person(session: Session, email: str) -> Person:
    """The person of an e-mail.

    Raises:
        NotFound: there is none.
    """
    person = session.scalar(select(Person).where(func.lower(Person.email) == email.strip().lower()))
    if person is None:
        raise NotFound(
            msg("There is nobody with the e-mail {email}.", email=email),
            hint="`leitstand person list` shows everybody.",
        )
    return person


def list_people(session: Session, *, workspace_id: UUID) -> list[tuple[Person, str]]:
    """Everybody of a workspace with their role, by e-mail."""
    query = select(Person, Membership.role).join(Membership).where(Membership.workspace_id == workspace_id)
    return [(person, role) for person, role in session.execute(query.order_by(func.lower(Person.email)))]


def home_of(session: Session, person_id: UUID) -> UUID:
    """The workspace that a person joined first: where they are when they sign in.

    Raises:
        NotFound: they belong to none.
    """
    query = select(Membership.workspace_id).where(Membership.person_id == person_id, holds())
    home = session.scalar(query.order_by(Membership.created_at, Membership.workspace_id).limit(1))
    if home is None:
        raise NotFound("This person belongs to no workspace.")
    return home


def change_password(
    session: Session, *, principal: Principal, current: str, new: str, address: str = ""
) -> None:
    """Change one's own password and end one's other sessions. A wrong current one counts as a failed sign-in.

    Raises:
        InvalidInput: the current password is wrong or the new one is not fit.
        TooManyRequests: too many wrong ones.
        Forbidden: a token or an owner who acts as them asks.
    """
    person = confirm_password(session, principal=principal, password=current, address=address)
    check_choice(new, email=person.email, name=person.name)
    person.password_hash = hash_password(new)
    audit.record(session, principal=principal, action="person.change-password", target=f"person:{person.id}")
    end_other_sessions(session, principal=principal)
    steps.forget(session, person.id)
    tell(session, person_id=person.id, event="password-changed")


def reset_password(session: Session, *, principal: Principal, email: str, new: str) -> Person:
    """Set somebody's password and end all their sessions; for the command line.

    Raises:
        NotFound: there is nobody with this e-mail.
        InvalidInput: the new password is not fit.
    """
    person = find_person(session, email)
    check_choice(new, email=person.email, name=person.name)
    person.password_hash = hash_password(new)
    open_sessions = (UserSession.person_id == person.id) & UserSession.ended_at.is_(None)
    session.execute(update(UserSession).where(open_sessions).values(ended_at=func.now()))
    steps.forget(session, person.id)
    attempts.note_success(session, email=person.email.lower())
    audit.record(session, principal=principal, action="person.reset-password", target=f"person:{person.id}")
    tell(session, person_id=person.id, event="password-changed")
    return person


def update_profile(
    session: Session,
    *,
    principal: Principal,
    name: str | None = None,
    theme: str | None = None,
    language: str | None = None,
    zone: str | None = None,
    sign_in_mails: bool | None = None,
) -> Person:
    """Change one's own name, theme, language, time zone, or which mails one gets; None leaves it as it is.

    Args:
        language: one of `leitstand.words.LANGUAGES`; empty: the one that the browser asks for.
        zone: IANA zone in which times are read; empty: the workspace's reporting zone.
        sign_in_mails: whether a sign-in of an unknown browser is told by mail.

    Raises:
        InvalidInput: the name is empty or too long, or there is no such theme, language or zone.
        Forbidden: a token asks.
    """
    person = myself(session, principal)
    wanted = {
        "name": None if name is None else checked_name(name),
        "theme": None if theme is None else _checked_theme(theme),
        "language": None if language is None else checked_language(language),
        "zone": None if zone is None else _checked_own_zone(zone),
        "sign_in_mails": sign_in_mails,
    }
    chosen = {field: value for field, value in wanted.items() if value is not None}
    old, new = audit.changed({field: getattr(person, field) for field in chosen}, chosen)
    for field, value in new.items():
        setattr(person, field, value)
    if new:
        audit.record(
            session,
            principal=principal,
            action="person.update",
            target=f"person:{person.id}",
            before=old,
            after=new,
        )
    return person


def _checked_theme(theme: str) -> str:
    if theme not in THEMES:
        raise InvalidInput(
            msg("There is no theme {theme!r}.", theme=theme),
            hint=msg("Themes are: {themes}.", themes=", ".join(THEMES)),
        )
    return theme


def checked_language(language: str) -> str:
    """The language, or nothing for the browser's.

    Raises:
        InvalidInput: no page is written in it.
    """
    if language and language not in LANGUAGES:
        raise InvalidInput(
            msg("There is no language {language!r}.", language=language),
            hint=msg("Languages are: {languages}.", languages=", ".join(LANGUAGES)),
        )
    return language


def _checked_own_zone(zone: str) -> str:
    return checked_zone(zone.strip()) if zone.strip() else ""


def checked_email(email: str) -> str:
    """The e-mail in lower case without surrounding blanks.

    Raises:
        InvalidInput: it has not the form of one.
    """
    email = email.strip().lower()
    if not EMAIL.fullmatch(email):
        raise InvalidInput("This is not an e-mail address.", hint="It looks like name@example.org.")
    return email


def checked_name(name: str) -> str:
    """The name without surrounding blanks and control characters.

    Raises:
        InvalidInput: nothing is left, or it is too long.
    """
    name = " ".join(without_controls(name).split())
    if not name:
        raise InvalidInput("The name is empty.")
    if len(name) > NAME_LENGTH:
        raise InvalidInput(msg("The name may have at most {most} characters.", most=NAME_LENGTH))
    return name
