"""One action on many items: all of them or none, with the reason of each that is refused."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from leitstand.catalogue import contents, items, lifecycle, trash
from leitstand.catalogue.text import checked_tags
from leitstand.db.models import Item
from leitstand.errors import Conflict, InvalidInput, LeitstandError, NotFound
from leitstand.identity.access import Principal, require
from leitstand.words import msg

MOST = 500


@dataclass(frozen=True)
class Refusal:
    """An item on which the action can't be done (its id where the principal may not see it), and why."""

    item_id: UUID
    title: str
    reason: str
    hint: str


def apply(
    session: Session, *, principal: Principal, item_ids: Sequence[UUID], action: str, value: str = ""
) -> int:
    """Do an action on items; how many. Where one is refused nothing is changed.

    Args:
        item_ids: 1 to 500.
        action: one of `ACTIONS`.
        value: the tag of `add-tag` and `remove-tag`, the visibility of `visibility`.

    Raises:
        InvalidInput: there is no such action, or its value is not fit.
        Conflict: it can't be done on all; `details["items"]` says on which not, and why.
    """
    require(principal, "item:read")
    if action not in ACTIONS:
        raise InvalidInput(
            msg("There is no action {action!r}.", action=action[:40]),
            hint=msg("It is one of: {actions}.", actions=", ".join(ACTIONS)),
        )
    # In the order of ids, so that two that do this at once wait for each other and don't lock each other out.
    chosen = sorted(set(item_ids))
    if not 0 < len(chosen) <= MOST:
        raise InvalidInput(
            "Nothing is chosen."
            if not chosen
            else msg("At most {most} items can be chosen at once.", most=MOST)
        )
    refused: list[Refusal] = []
    with session.begin_nested() as savepoint:
        for item_id in chosen:
            if refusal := _try(session, principal, item_id, action, value):
                refused.append(refusal)
        if refused:
            savepoint.rollback()
    if refused:
        session.expire_all()
        raise _conflict(len(chosen), refused)
    return len(chosen)


def _try(session: Session, principal: Principal, item_id: UUID, action: str, value: str) -> Refusal | None:
    try:
        ACTIONS[action](session, principal, item_id, value)
    except LeitstandError as error:
        title = "" if isinstance(error, NotFound) else _title(session, principal, item_id)
        return Refusal(item_id, title, error.message, error.hint)
    return None


def _title(session: Session, principal: Principal, item_id: UUID) -> str:
    mine = (Item.workspace_id == principal.workspace_id) & (Item.id == item_id)
    return session.scalar(select(Item.title).where(mine)) or ""


def _conflict(chosen: int, refused: list[Refusal]) -> Conflict:
    told = [
        {"id": str(one.item_id), "title": one.title, "reason": one.reason, "hint": one.hint}
        for one in refused
    ]
    return Conflict(
        msg(
            "This can't be done on {refused} of {chosen} items, so nothing was changed.",
            refused=len(refused),
            chosen=chosen,
        ),
        hint="Leave those out, then do it on the others.",
        details={"items": told},
    )


def _archive(session: Session, principal: Principal, item_id: UUID, _value: str) -> None:
    lifecycle.archive(session, principal=principal, item_id=item_id)


def _unarchive(session: Session, principal: Principal, item_id: UUID, _value: str) -> None:
    item = items.get_item(session, principal=principal, item_id=item_id)
    if item.status != "archived":
        raise Conflict("It is not archived.")
    lifecycle.withdraw(session, principal=principal, item_id=item_id)


def _trash(session: Session, principal: Principal, item_id: UUID, _value: str) -> None:
    trash.trash_item(session, principal=principal, item_id=item_id)


def _restore(session: Session, principal: Principal, item_id: UUID, _value: str) -> None:
    trash.restore_item(session, principal=principal, item_id=item_id)


def _purge(session: Session, principal: Principal, item_id: UUID, _value: str) -> None:
    trash.purge_item(session, principal=principal, item_id=item_id)


def _add_tag(session: Session, principal: Principal, item_id: UUID, value: str) -> None:
    item = items.get_item(session, principal=principal, item_id=item_id)
    contents.save(session, principal=principal, item_id=item_id, tags=[*item.tags, *_one_tag(value)])


def _remove_tag(session: Session, principal: Principal, item_id: UUID, value: str) -> None:
    item = items.get_item(session, principal=principal, item_id=item_id)
    left = [tag for tag in item.tags if tag not in _one_tag(value)]
    contents.save(session, principal=principal, item_id=item_id, tags=left)


def _visibility(session: Session, principal: Principal, item_id: UUID, value: str) -> None:
    items.update_item(session, principal=principal, item_id=item_id, visibility=value)


def _one_tag(value: str) -> list[str]:
    tags = checked_tags([value])
    if not tags:
        raise InvalidInput("The tag is empty.", hint="Type the tag.")
    return tags


ACTIONS: dict[str, Callable[[Session, Principal, UUID, str], None]] = {
    "archive": _archive,
    "unarchive": _unarchive,
    "trash": _trash,
    "restore": _restore,
    "purge": _purge,
    "add-tag": _add_tag,
    "remove-tag": _remove_tag,
    "visibility": _visibility,
}
