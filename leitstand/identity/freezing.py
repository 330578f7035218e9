"""Shut everybody out at once, for an emergency: sign-in, sessions and API tokens. The command line stays."""

from collections.abc import Collection
from dataclasses import asdict, dataclass

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from leitstand.db.models import ApiToken, Person, UserSession
from leitstand.identity import audit
from leitstand.identity.people import find_person

OPEN_SESSION = UserSession.ended_at.is_(None) & (UserSession.expires_at > func.now())
LIVE_TOKEN = ApiToken.revoked_at.is_(None) & (
    ApiToken.expires_at.is_(None) | (ApiToken.expires_at > func.now())
)


@dataclass(frozen=True)
class Access:
    """Who could come in: sessions that hold, tokens that are taken, people who may sign in."""

    sessions: int
    tokens: int
    people: int

    def to_dict(self) -> dict[str, int]:
        """JSON values."""
        return asdict(self)


def access(session: Session) -> Access:
    """What is open now, in every workspace."""
    counted = (
        select(func.count()).select_from(UserSession).where(OPEN_SESSION),
        select(func.count()).select_from(ApiToken).where(LIVE_TOKEN),
        select(func.count()).select_from(Person).where(Person.disabled_at.is_(None)),
    )
    sessions, tokens, people = (int(session.scalar(query) or 0) for query in counted)
    return Access(sessions, tokens, people)


def enabled_people(session: Session) -> list[str]:
    """The e-mails of everybody who may sign in."""
    query = select(func.lower(Person.email)).where(Person.disabled_at.is_(None))
    return list(session.scalars(query.order_by(func.lower(Person.email))))


def end_all_sessions(session: Session, *, actor: str) -> int:
    """End every session of everybody; how many there were."""
    ended = update(UserSession).where(UserSession.ended_at.is_(None)).values(ended_at=func.now())
    count = len(session.execute(ended.returning(UserSession.id)).all())
    audit.record_for_all(session, actor=actor, action="session.end-all", after={"ended": count})
    return count


def revoke_all_tokens(session: Session, *, actor: str) -> int:
    """Revoke every API token; how many there were."""
    revoked = update(ApiToken).where(ApiToken.revoked_at.is_(None)).values(revoked_at=func.now())
    count = len(session.execute(revoked.returning(ApiToken.id)).all())
    audit.record_for_all(session, actor=actor, action="token.revoke-all", after={"revoked": count})
    return count


def close_sign_in(session: Session, *, only: Collection[str], actor: str) -> list[str]:
    """Disable everybody but those named; gives who was. Their sessions and tokens are refused from then on.

    Raises:
        NotFound: nobody has one of the e-mails.
    """
    staying = {find_person(session, email).id for email in only}
    others = Person.disabled_at.is_(None) & Person.id.not_in(staying)
    disabled = update(Person).where(others).values(disabled_at=func.now()).returning(Person.email)
    emails = sorted(session.scalars(disabled))
    audit.record_for_all(session, actor=actor, action="person.disable", after={"disabled": emails})
    return emails


def enable(session: Session, *, email: str, enabled: bool, actor: str) -> None:
    """Let one person sign in again, or not any more.

    Raises:
        NotFound: nobody has this e-mail.
    """
    person = find_person(session, email)
    person.disabled_at = None if enabled else session.scalar(select(func.now()))
    action = "person.enable" if enabled else "person.disable"
    audit.record_for_all(
        session, actor=actor, action=action, target=f"person:{person.id}", after={"email": email}
    )
