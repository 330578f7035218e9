"""People by name or e-mail, for whoever manages them."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Text, func, literal, or_, select
from sqlalchemy.orm import Session

from leitstand.db.models import Membership, Person
from leitstand.identity.access import Principal

LONGEST = 200
# The share of the query's trigrams that a name's words must have to resemble it.
ALIKE = 0.5


@dataclass(frozen=True)
class FoundPerson:
    """Somebody of the workspace."""

    id: UUID
    name: str
    email: str
    role: str


def find_people(session: Session, *, principal: Principal, q: str, limit: int = 4) -> list[FoundPerson]:
    """Members whose name or e-mail contains `q` or resembles it, the likest first; nobody without `member:manage`."""
    q = "".join(letter for letter in q if letter.isprintable()).strip().lower()[:LONGEST]
    if not q or not principal.may("member:manage"):
        return []
    alike = func.word_similarity(literal(q, Text), Person.name)
    contains = or_(
        func.lower(Person.name).contains(q, autoescape=True),
        func.lower(Person.email).contains(q, autoescape=True),
    )
    query = (
        select(Person.id, Person.name, Person.email, Membership.role)
        .join(Membership, Membership.person_id == Person.id)
        .where(Membership.workspace_id == principal.workspace_id, or_(contains, alike > ALIKE))
        .order_by(contains.desc(), alike.desc(), func.lower(Person.email))
        .limit(limit)
    )
    return [FoundPerson(*row) for row in session.execute(query)]
