"""Boards: notes and items on a canvas, links between them, comments."""

from collections.abc import Iterator
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import Field, model_validator

from leitstand.catalogue.kinds.base import Author, Content, Instant, Key, Part, Reference, Text
from leitstand.words import N_, msg

WIDTH, HEIGHT = 4_000, 3_000
COLOURS = ("yellow", "blue", "green", "red", "violet", "grey")
X = Annotated[int, Field(ge=0, le=WIDTH)]
Y = Annotated[int, Field(ge=0, le=HEIGHT)]


class Note(Part):
    """Words on the canvas; `x` and `y` are its upper left corner."""

    id: Key
    text: Annotated[Text, Field(min_length=1, max_length=2_000)]
    x: X = 0
    y: Y = 0
    colour: Literal["yellow", "blue", "green", "red", "violet", "grey"] = "yellow"


class Card(Part):
    """An item on the canvas."""

    id: Key
    item_id: UUID
    x: X = 0
    y: Y = 0


class Link(Part):
    """A line from one note or card to another."""

    start: Annotated[Key, Field(alias="from")]
    end: Annotated[Key, Field(alias="to")]
    label: Annotated[Text, Field(max_length=100)] = ""


class Comment(Part):
    """What somebody said of the board; who and when is filled in when it is saved."""

    id: Key
    author_id: UUID | None = None
    author: Annotated[Text, Field(max_length=200)] = ""
    at: Instant | None = None
    text: Annotated[Text, Field(min_length=1, max_length=2_000)]


class Board(Content):
    """A canvas of 4,000 by 3,000 points."""

    notes: Annotated[tuple[Note, ...], Field(max_length=500)] = ()
    items: Annotated[tuple[Card, ...], Field(max_length=500)] = ()
    links: Annotated[tuple[Link, ...], Field(max_length=2_000)] = ()
    comments: Annotated[tuple[Comment, ...], Field(max_length=1_000)] = ()

    @model_validator(mode="after")
    def _hangs_together(self) -> Self:
        places = self.places()
        said = [comment.id for comment in self.comments]
        if len(set(places)) != len(places) or len(set(said)) != len(said):
            raise ValueError(N_("an id stands for one thing"))
        ends = [(link.start, link.end) for link in self.links]
        if len(set(ends)) != len(ends):
            raise ValueError(N_("two things are linked once"))
        known = set(places)
        for start, end in ends:
            if start == end or not {start, end} <= known:
                raise ValueError(
                    msg("the link from {start} to {end} needs two things of this board", start=start, end=end)
                )
        return self

    def places(self) -> list[str]:
        """The ids of what stands on the canvas: notes, then cards."""
        return [note.id for note in self.notes] + [card.id for card in self.items]

    def references(self) -> Iterator[Reference]:
        """The items on it."""
        for at, card in enumerate(self.items):
            yield Reference(f"/items/{at}/item_id", card.item_id)

    def without(self, hidden: set[UUID]) -> Self:
        """Without the cards of hidden items, and the links from and to them."""
        gone = {card.id for card in self.items if card.item_id in hidden}
        links = tuple(link for link in self.links if not {link.start, link.end} & gone)
        cards = tuple(card for card in self.items if card.id not in gone)
        return self.model_copy(update={"items": cards, "links": links})

    def keeping(self, old: Self, hidden: set[UUID]) -> Self:
        """Hidden cards stay, with their links to what is still there."""
        taken = set(self.places())
        cards = tuple(card for card in old.items if card.item_id in hidden and card.id not in taken)
        kept = {card.id for card in cards}
        known = taken | kept
        links = tuple(
            link for link in old.links if {link.start, link.end} & kept and {link.start, link.end} <= known
        )
        return self.model_copy(update={"items": self.items + cards, "links": self.links + links})

    def settled(self, old: Self, author: Author) -> Self:
        """A comment is its writer's and says when; one that is there already is not changed."""
        before = {comment.id: comment for comment in old.comments}
        mine = {"author_id": author.person_id, "author": author.name, "at": author.at}
        comments = tuple(
            before.get(comment.id) or comment.model_copy(update=mine) for comment in self.comments
        )
        return self.model_copy(update={"comments": comments})
