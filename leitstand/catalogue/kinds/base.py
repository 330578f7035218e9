"""What the contents of every kind share: strict models that say which other items they use."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)

from leitstand.words import N_

NUL = "\x00"
ISO = re.compile(r"\d{4}-\d{2}-\d{2}([Tt ].+)?", re.ASCII)


def _storable(text: str) -> str:
    """A text that PostgreSQL keeps: no NUL and no half of a surrogate pair."""
    if NUL in text:
        raise ValueError(N_("must not hold the character NUL"))
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(N_("must not hold half of a character")) from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def written(value: Any) -> Any:
    """A day or an instant that is not a bare number, which pydantic would take for seconds since 1970."""
    if isinstance(value, int | float) or (isinstance(value, str) and not ISO.fullmatch(value.strip())):
        raise ValueError(N_("Write it as ISO 8601: 2026-03-01, or 2026-03-01T10:00:00Z."))
    return value


def _counted(value: Any) -> Any:
    """A number that is not a truth: pydantic would take these for 1 and 0."""
    if isinstance(value, bool):
        raise ValueError(N_("must be a whole number"))  # noqa: TRY004 - pydantic reads this one alone
    return value


# Stands behind the bounds of a number, which the schema would not name as its own else.
WHOLE = BeforeValidator(_counted)
Text = Annotated[str, AfterValidator(_storable)]
# With its offset, as ISO 8601 and nothing else.
Instant = Annotated[AwareDatetime, BeforeValidator(written)]
# The name of a part inside of a content: a note of a board, an input of an app.
Key = Annotated[str, Field(pattern=r"^[a-z0-9](?:[a-z0-9_-]{0,38}[a-z0-9])?$")]


class Part(BaseModel):
    """The root of whatever stands in a content: nothing unknown, nothing changed afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


@dataclass(frozen=True)
class Reference:
    """That a content uses an item, where it says so, and of which kind that must be (empty: any)."""

    pointer: str
    item_id: UUID
    kind: str = ""


@dataclass(frozen=True)
class Author:
    """Who saves a content, and when."""

    person_id: UUID | None
    name: str
    at: datetime


class Content(Part):
    """What an item of a kind holds, beside title, description, tags and icon.

    An empty document is a content of every kind: that of an item just made.
    """

    @model_validator(mode="before")
    @classmethod
    def _is_json(cls, document: Any) -> Any:
        """Refuse what Python's reader takes and JSON does not have: as JSON it could not be kept."""
        try:
            json.dumps(document, allow_nan=False, default=str)
        except ValueError:
            raise ValueError(N_("NaN and Infinity are no numbers of JSON")) from None
        return document

    def references(self) -> Iterator[Reference]:
        """The items that it uses."""
        yield from ()

    def without(self, hidden: set[UUID]) -> Self:
        """The same without those items: what a reader is shown who may not see them."""
        return self

    def keeping(self, old: Self, hidden: set[UUID]) -> Self:
        """The same with what `old` holds of items that the editor could not see, so that saving loses nothing."""
        return self

    def settled(self, old: Self, author: Author) -> Self:
        """The same with what nobody may claim (who wrote a comment, and when) filled in."""
        return self

    def document(self) -> dict[str, Any]:
        """The content as JSON values."""
        return self.model_dump(mode="json", by_alias=True)


def merged[Entry](new: list[Entry], old: list[Entry], hidden: list[bool]) -> list[Entry]:
    """`new` with the hidden entries of `old`, each behind the shown entry that it stood behind.

    Args:
        hidden: of each old entry whether the editor could not see it.
    """
    result, before = list(new), None
    for entry, unseen in zip(old, hidden, strict=True):
        if unseen and entry not in result:
            result.insert(
                result.index(before) + 1 if before in result else len(result) * (before is not None), entry
            )
        before = entry
    return result
