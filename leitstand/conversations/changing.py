"""What is done with a conversation: renamed, put aside, thrown away."""

from uuid import UUID

from sqlalchemy.orm import Session

from leitstand.catalogue.text import checked_title
from leitstand.catalogue.trash import trash_item
from leitstand.conversations.keeping import KIND, held
from leitstand.db.models import Item
from leitstand.identity import audit
from leitstand.identity.access import Principal, require


def rename(session: Session, *, principal: Principal, item_id: UUID, title: str) -> Item:
    """Give one's own conversation another title. The audit log says that, not which.

    Raises:
        NotFound: there is no such conversation.
        Forbidden: it is somebody else's.
        InvalidInput: the title is empty or too long.
    """
    item = _own(session, principal, item_id)
    title = checked_title(title)
    if title != item.title:
        item.title = title
        _note(session, principal, item, "rename")
    return item


def archive(session: Session, *, principal: Principal, item_id: UUID, archived: bool = True) -> Item:
    """Put one's own conversation aside, or take it back into the list.

    Raises:
        NotFound: there is no such conversation.
        Forbidden: it is somebody else's.
    """
    item = _own(session, principal, item_id)
    status = "archived" if archived else "draft"
    if item.status != status:
        item.status = status
        _note(session, principal, item, "archive" if archived else "unarchive")
    return item


def throw_away(session: Session, *, principal: Principal, item_id: UUID) -> None:
    """Put one's own conversation into the trash, from where it is deleted for good after 30 days.

    Raises:
        NotFound: there is no such conversation.
        Forbidden: it is somebody else's.
    """
    _own(session, principal, item_id)
    trash_item(session, principal=principal, item_id=item_id, kind=KIND)


def _own(session: Session, principal: Principal, item_id: UUID) -> Item:
    item, _ = held(session, principal=principal, item_id=item_id)
    require(principal, "item:write")
    return item


def _note(session: Session, principal: Principal, item: Item, deed: str) -> None:
    session.flush()
    audit.record(
        session, principal=principal, action=f"conversation.{deed}", target=f"conversation:{item.id}"
    )
