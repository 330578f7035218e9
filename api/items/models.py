"""The shapes of items with what they hold."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BeforeValidator, ConfigDict, Field

from api.models import Answer, ItemOut, Request
from leitstand.catalogue.bulk import ACTIONS, MOST
from leitstand.catalogue.kinds.base import Content

EXAMPLE: dict[str, Any] = {
    "title": "Returns desk",
    "description": "Answers questions on returns.",
    "tags": ["support"],
}


class ItemFull[Held: Content](ItemOut):
    """An item with what it holds; `hidden` is how many items it uses that you may not see: they are left out."""

    icon: str
    version: int
    content: Held
    hidden: int


class ItemIn[Held: Content](Request):
    """A new item. What is left out is empty; `visibility` is that of the workspace."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [EXAMPLE]})

    title: str
    description: str = ""
    tags: list[str] = Field(default_factory=list)
    visibility: str = "workspace"
    icon: str = ""
    content: Held | None = None


class ItemChange[Held: Content](Request):
    """What is left out stays as it is; `content` is replaced whole. `seen` is `version` as the editor saw it."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"title": "Returns", "seen": 3}]}
    )

    title: str | None = None
    description: str | None = None
    tags: list[str] | None = None
    visibility: str | None = None
    icon: str | None = None
    content: Held | None = None
    note: str = Field("", max_length=500, description="Why, for the history.")
    seen: Annotated[int | None, Field(ge=0, le=2_147_483_647)] = None


class HistoryOut(Answer):
    number: int
    created_at: datetime
    created_by: str
    note: str


class HistoryPage(Answer):
    """Versions, newest first; `next` is what `before` has to be for the next page, null at the end."""

    items: list[HistoryOut]
    next: int | None


class SnapshotOut(Answer):
    number: int
    title: str
    description: str
    tags: list[str]
    icon: str
    content: dict[str, Any]


class DifferenceOut(Answer):
    what: str = Field(description="changed, added, removed, moved (places, from 1), or text (with `lines`).")
    path: Annotated[list[str], BeforeValidator(list)]
    before: Any
    after: Any
    lines: Annotated[list[str], BeforeValidator(list)] = Field(
        description="The unified difference of a long text."
    )


class RollBackIn(Request):
    """The number of the version that becomes the newest again."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"version": 2}]})

    version: Annotated[int | None, Field(ge=1, le=2_147_483_647)] = None


class BulkIn(Request):
    """One action on up to 500 items: on all of them, or on none."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"ids": ["01890a5d-ac96-774b-bcce-b302099a8057"], "action": "add-tag", "value": "2027"}
            ]
        },
    )

    ids: list[UUID] = Field(min_length=1, max_length=MOST)
    action: str = Field(description=f"One of: {', '.join(ACTIONS)}.")
    value: str = Field("", max_length=200, description="The tag, or the visibility.")


class BulkOut(Answer):
    changed: int


class PlannedOut(Answer):
    line: int | None
    kind: str
    title: str
    action: str = Field(description="make, or change where the key is there already.")
    item_id: UUID | None


class ImportOut(Answer):
    """What became of each item of the file, or would become where `dry_run` is true."""

    dry_run: bool
    items: list[PlannedOut]
