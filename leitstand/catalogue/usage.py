"""What a workspace holds and what came in last: the figures of the home page."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from leitstand.catalogue.visibility import visible
from leitstand.db.models import EventImport, Item, Membership
from leitstand.identity.access import Principal, require, require_member


@dataclass(frozen=True)
class Usage:
    """How much there is: companions by status, and people."""

    draft: int
    published: int
    archived: int
    people: int

    @property
    def companions(self) -> int:
        """Companions of every status."""
        return self.draft + self.published + self.archived


def usage(session: Session, *, principal: Principal) -> Usage:
    """Counts of what the principal may see.

    Raises:
        Forbidden: to people outside of the organisation.
    """
    require(principal, "item:read")
    require_member(principal)
    companions = (
        select(Item.status, func.count())
        .where(visible(principal), Item.kind == "companion")
        .group_by(Item.status)
    )
    by_status = dict(session.execute(companions).tuples().all())
    people = (
        select(func.count()).select_from(Membership).where(Membership.workspace_id == principal.workspace_id)
    )
    return Usage(
        draft=by_status.get("draft", 0),
        published=by_status.get("published", 0),
        archived=by_status.get("archived", 0),
        people=session.scalar(people) or 0,
    )


def recent_imports(session: Session, *, principal: Principal, limit: int = 5) -> Sequence[EventImport]:
    """The imports of event files that began last.

    Raises:
        Forbidden: without `insights:read`.
    """
    require(principal, "insights:read")
    query = select(EventImport).where(EventImport.workspace_id == principal.workspace_id)
    return list(session.scalars(query.order_by(EventImport.started_at.desc(), EventImport.id).limit(limit)))
