"""Text of a model as HTML: its own headings, lists, tables and code, and nothing that reaches beyond the page by itself."""

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

# The page has headings of its own above.
FIRST_HEADING = 3
LONGEST = 200_000


def safe_html(text: str) -> Markup:
    """Markdown as HTML without markup of its own.

    What looks like HTML is shown, not taken. A picture is left as its text: whoever wrote what a model read could have
    it fetched with what the model knows in its address. Links are those of the web alone, and say nothing of us.
    """
    markdown = _markdown()
    env: dict[str, Any] = {}
    tokens = markdown.parse(text[:LONGEST], env)
    _tame(tokens)
    return Markup(markdown.renderer.render(tokens, markdown.options, env))  # noqa: S704 - its own markup alone


@lru_cache(maxsize=1)
def _markdown() -> "MarkdownIt":
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark", {"html": False, "breaks": True}).enable("table").disable("image")


def _tame(tokens: "Sequence[Token]") -> None:
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(max(int(token.tag[1]) + FIRST_HEADING - 1, FIRST_HEADING), 6)}"
        if token.type == "link_open":
            token.attrSet("rel", "noopener noreferrer nofollow")
            token.attrSet("href", _of_the_web(str(token.attrGet("href") or "")))
        if token.children:
            _tame(token.children)


def _of_the_web(address: str) -> str:
    """The address where it is one that opens a page; a link to a place of ours would look like one that we made."""
    return address if address.startswith(("https://", "http://", "mailto:")) else "#"
