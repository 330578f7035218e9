"""The kinds of items: what each is called, and the model of what it holds."""

from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from leitstand.catalogue.areas import BY_SLUG
from leitstand.catalogue.kinds.agent import Agent
from leitstand.catalogue.kinds.app import App
from leitstand.catalogue.kinds.base import Content
from leitstand.catalogue.kinds.board import Board
from leitstand.catalogue.kinds.collection import Collection
from leitstand.catalogue.kinds.companion import Companion
from leitstand.catalogue.kinds.control import Control
from leitstand.catalogue.kinds.faults import of_model
from leitstand.catalogue.kinds.space import Space
from leitstand.errors import InvalidInput, NotFound
from leitstand.words import N_, msg

MOST_FAULTS = 20


@dataclass(frozen=True)
class Kind:
    """A kind of items.

    Args:
        name: what `item.kind` says.
        content: the model of what it holds.
        title: what people call one; `new`, `edit` and `none` are the texts of its button, form and empty list.
    """

    name: str
    content: type[Content]
    title: str
    new: str
    edit: str
    none: str
    begin: str

    @property
    def slug(self) -> str:
        """That of its area, and of its JSON collection."""
        return f"{self.name}s"

    @property
    def route(self) -> str:
        """The page of its area."""
        return BY_SLUG[self.slug].route


KINDS = {
    kind.name: kind
    for kind in (
        Kind("companion", Companion, N_("Companion"), N_("New companion"), N_("Edit companion"), N_("No companions yet"),
             N_("A companion is a bot with a flow that visitors run through a link. Make the first one, or import events and their companions appear here.")),
        Kind("agent", Agent, N_("Agent"), N_("New agent"), N_("Edit agent"), N_("No agents yet"),
             N_("An agent has instructions, tools, spaces that it reads and a model. Write down the first one here.")),
        Kind("board", Board, N_("Board"), N_("New board"), N_("Edit board"), N_("No boards yet"),
             N_("A board is a canvas of notes and items, and of the links between them.")),
        Kind("collection", Collection, N_("Collection"), N_("New collection"), N_("Edit collection"), N_("No collections yet"),
             N_("A collection puts items of every kind into one order, to share them together.")),
        Kind("space", Space, N_("Space"), N_("New space"), N_("Edit space"), N_("No spaces yet"),
             N_("A space holds documents. Upload some, and ask them questions.")),
        Kind("control", Control, N_("Control"), N_("New control"), N_("Edit control"), N_("No controls yet"),
             N_("A control asks for a value, or shows one. Its schema says what fits.")),
        Kind("app", App, N_("App"), N_("New app"), N_("Edit app"), N_("No apps yet"),
             N_("An app puts a form before an agent and shows what comes out.")),
    )
}  # fmt: skip


def kind_named(name: str) -> Kind:
    """The kind of that name.

    Raises:
        NotFound: there is none.
    """
    if name not in KINDS:
        raise NotFound(
            msg("There is no kind {name!r}.", name=name),
            hint=msg("It is one of: {kinds}.", kinds=", ".join(KINDS)),
        )
    return KINDS[name]


def parse(kind: str, document: Any) -> Content:
    """The content of a document.

    Raises:
        InvalidInput: it is none of that kind; `details["errors"]` says where and why.
    """
    try:
        return kind_named(kind).content.model_validate(document)
    except ValidationError as error:
        faults = faults_of(error)
        first = faults[0]
        raise InvalidInput(
            msg(
                "The content does not have the form of a {kind} at {pointer}: {fault}.",
                kind=kind,
                pointer=first["pointer"],
                fault=first["detail"],
            )
            if first["pointer"]
            else msg(
                "The content does not have the form of a {kind}: {fault}.", kind=kind, fault=first["detail"]
            ),
            details={"errors": list(faults)},
        ) from None
    except RecursionError:
        raise InvalidInput("The content is nested too deeply.") from None


def faults_of(error: ValidationError) -> list[dict[str, str]]:
    """What is wrong with a document: the JSON pointer of each place, and why."""
    return [
        {
            "pointer": "".join(f"/{part}" for part in issue["loc"]),
            "detail": of_model(issue),
        }
        for issue in error.errors(include_url=False, include_input=False)[:MOST_FAULTS]
    ]
