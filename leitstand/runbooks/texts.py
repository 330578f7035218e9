"""The text of a runbook: when it is for, what it says, and which parameters it asks for."""

import io
import re
import tokenize
from dataclasses import asdict, dataclass
from typing import Any

from leitstand.errors import InvalidInput
from leitstand.runbooks import documents
from leitstand.runbooks.library import Notebook
from leitstand.runbooks.parameters import Value, declared
from leitstand.runbooks.running import RUN_ID

WHEN = re.compile(r"^\*\*When\.?\*\*[ \n]*(.+?)(?:\n\s*\n|\Z)", re.DOTALL | re.MULTILINE)
# What a run asks for apart: they belong to going on for real, not to the question.
GATE = ("dry_run", "plan_sha256", "decided_by")
TYPES = {str: "text", int: "whole number", float: "number", bool: "yes or no"}


@dataclass(frozen=True)
class Parameter:
    """One parameter.

    Args:
        type: text, whole number, number, or yes or no.
        help: the comment behind it in the notebook; empty where there is none.
    """

    name: str
    type: str
    default: Value
    help: str

    @property
    def label(self) -> str:
        """As a person reads it."""
        return self.name.replace("_", " ").capitalize()

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return asdict(self)


def text_of(notebook: Notebook) -> str:
    """All that it says, as Markdown, without its code."""
    cells = documents.read(notebook.path).cells
    return "\n\n".join(cell.source.strip() for cell in cells if cell.cell_type == "markdown")


def html_of(text: str) -> str:
    """Markdown as HTML that holds no markup but its own: what looks like HTML in it is shown, not taken.

    Its headings begin at the second level, for the page has its own first one.
    """
    from markdown_it import MarkdownIt

    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = markdown.parse(text)
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{max(int(token.tag[1]), 2)}"
    html: str = markdown.renderer.render(tokens, markdown.options, {})
    return html


def when_to_use(text: str) -> str:
    """The paragraph that says when a runbook is for, else its first one."""
    found = WHEN.search(text)
    paragraphs = (part for part in without_title(text).split("\n\n") if part and not part.startswith("#"))
    return " ".join((found[1] if found else next(paragraphs, "")).split())


def without_title(text: str) -> str:
    """The text below its title."""
    title, _, rest = text.partition("\n")
    return rest.strip() if title.startswith("# ") else text


def parameters_of(notebook: Notebook) -> list[Parameter]:
    """What it asks for, in its order; not the id that a run gets by itself.

    Raises:
        InvalidInput: its parameters cell is none.
    """
    document = documents.read(notebook.path)
    comments = _comments(document)
    return [
        Parameter(name, TYPES[type(value)], value, comments.get(name, ""))
        for name, value in declared(document).items()
        if name != RUN_ID
    ]


def _comments(document: Any) -> dict[str, str]:
    """Name -> the comment on its line."""
    cell = next(cell for cell in document.cells if "parameters" in cell.metadata.get("tags", []))
    found, lines = {}, cell.source.splitlines()
    try:
        for token in tokenize.generate_tokens(io.StringIO(cell.source).readline):
            if token.type == tokenize.COMMENT:
                name = lines[token.start[0] - 1].partition("=")[0].strip()
                found[name] = token.string.lstrip("# ").strip()
    except (tokenize.TokenError, SyntaxError) as error:
        raise InvalidInput("The parameters cell is no Python.") from error
    return found
