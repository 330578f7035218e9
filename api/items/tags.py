"""ETag and If-Match: what an item was when it was read, so that nobody overwrites what they have not seen."""

from typing import Annotated

from fastapi import Header

from leitstand.db.models import Item
from leitstand.errors import ChangedMeanwhile

IfMatch = Annotated[
    str | None,
    Header(alias="If-Match", description="The ETag that was read; 412 where the item has changed since."),
]
ANY = "*"


def etag_of(item: Item) -> str:
    """The tag of what an item is now."""
    return f'"{item.version}-{round(item.updated_at.timestamp() * 1_000_000):x}-{item.status}"'


def check_match(item: Item, wanted: str | None) -> None:
    """Refuse where the item is none of those that the header names.

    Raises:
        ChangedMeanwhile: it has changed.
    """
    if wanted is None or wanted.strip() == ANY:
        return
    if etag_of(item) not in [tag.strip().removeprefix("W/") for tag in wanted.split(",")]:
        raise ChangedMeanwhile(
            "Somebody changed this meanwhile.",
            hint="Read it again, then make your change on what is there now.",
        )
