"""Who got in lately and with what: new people, roles and tokens, and whether the audit log knows of them."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from leitstand.db.models import ApiToken, AuditEntry, Membership, Person, Workspace

UNKNOWN = "NOT IN THE AUDIT LOG"
POWERFUL = ("owner", "admin", "operator")
CHANGES = ("person.%", "token.%", "member.%", "session.%", "secrets.%", "backup.unkeep", "backup.prune%")
USUAL = ("session.sign-in", "session.sign-out", "session.end", "session.end-others")


@dataclass(frozen=True)
class Newcomer:
    """Something that lets somebody in.

    Args:
        what: as `owner` or `token`.
        known: who made it, by the audit log; `UNKNOWN` where it has no entry, as when it was put into the database by hand.
    """

    at: datetime
    what: str
    who: str
    workspace: str
    known: str


def newcomers(session: Session, since: datetime) -> list[Newcomer]:
    """People with their roles, and API tokens, that are new since an instant; the newest first."""
    return sorted([*_people(session, since), *_tokens(session, since)], key=lambda one: one.at, reverse=True)


def _people(session: Session, since: datetime) -> list[Newcomer]:
    query = (
        select(Person, Membership, Workspace.slug)
        .join(Membership, Membership.person_id == Person.id)
        .join(Workspace, Workspace.id == Membership.workspace_id)
        .where(func.greatest(Person.created_at, Membership.created_at) >= since)
    )
    return [
        Newcomer(
            max(person.created_at, membership.created_at),
            membership.role,
            person.email + (" (disabled)" if person.disabled_at else ""),
            slug,
            _made_by(session, "person.create", f"person:{person.id}"),
        )
        for person, membership, slug in session.execute(query)
    ]


def _tokens(session: Session, since: datetime) -> list[Newcomer]:
    query = (
        select(ApiToken, Person.email, Workspace.slug)
        .join(Person, Person.id == ApiToken.person_id)
        .join(Workspace, Workspace.id == ApiToken.workspace_id)
        .where(ApiToken.created_at >= since)
    )
    return [
        Newcomer(
            token.created_at,
            "token" + (" (revoked)" if token.revoked_at else ""),
            f"{token.name} of {email}: {', '.join(token.permissions)}",
            slug,
            _made_by(session, "token.create", f"token:{token.id}"),
        )
        for token, email, slug in session.execute(query)
    ]


def _made_by(session: Session, action: str, target: str) -> str:
    query = select(AuditEntry.actor).where(AuditEntry.action == action, AuditEntry.target == target)
    actor = session.scalar(query.limit(1))
    return UNKNOWN if actor is None else f"by {actor}"


def unaudited_powerful(session: Session) -> list[str]:
    """Owners, admins and operators of whatever age that the audit log does not know; removed entries look alike."""
    known = exists().where(
        AuditEntry.action == "person.create", AuditEntry.target == func.concat("person:", Person.id)
    )
    query = select(Person.email).join(Membership).where(Membership.role.in_(POWERFUL), ~known).distinct()
    return sorted(session.scalars(query))


def changes(session: Session, since: datetime, *, limit: int) -> list[AuditEntry]:
    """What the audit log says about access since an instant, the newest first; the daily coming and going left out."""
    query = select(AuditEntry).where(
        AuditEntry.at >= since,
        AuditEntry.action.like(func.any_(list(CHANGES))),
        AuditEntry.action.not_in(USUAL),
    )
    return list(session.scalars(query.order_by(AuditEntry.at.desc(), AuditEntry.id.desc()).limit(limit)))
