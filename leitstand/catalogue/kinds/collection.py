"""Collections: ordered sets of any items, each with a note."""

from collections.abc import Iterator
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, model_validator

from leitstand.catalogue.kinds.base import Content, Part, Reference, Text, merged
from leitstand.words import N_

MOST = 1_000


class Entry(Part):
    """An item of a collection and why it is there."""

    item_id: UUID
    note: Annotated[Text, Field(max_length=500)] = ""


class Collection(Content):
    """Items in an order, each once."""

    entries: Annotated[tuple[Entry, ...], Field(max_length=MOST)] = ()

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        ids = [entry.item_id for entry in self.entries]
        if len(set(ids)) != len(ids):
            raise ValueError(N_("an item stands in a collection once"))
        return self

    def references(self) -> Iterator[Reference]:
        """Its entries."""
        for at, entry in enumerate(self.entries):
            yield Reference(f"/entries/{at}/item_id", entry.item_id)

    def without(self, hidden: set[UUID]) -> Self:
        """The entries that a reader may see."""
        return self.model_copy(update={"entries": tuple(e for e in self.entries if e.item_id not in hidden)})

    def keeping(self, old: Self, hidden: set[UUID]) -> Self:
        """Hidden entries stay behind the entry that they stood behind."""
        ids = {entry.item_id: entry for entry in (*old.entries, *self.entries)}
        unseen = [entry.item_id in hidden for entry in old.entries]
        order = merged([e.item_id for e in self.entries], [e.item_id for e in old.entries], unseen)
        return self.model_copy(update={"entries": tuple(ids[item_id] for item_id in order)})
