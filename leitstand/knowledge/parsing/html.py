"""HTML: what a reader of the page would see, by its block elements; nothing in it is run or fetched."""

import re
from typing import TYPE_CHECKING

from leitstand.knowledge.parsing.outline import Block, Outline

if TYPE_CHECKING:
    from bs4 import BeautifulSoup, Tag
    from bs4.element import PageElement

HEADINGS = {f"h{level}": level for level in range(1, 7)}
# Not the page's own words, or not words at all.
SKIPPED = frozenset({
    "script", "style", "template", "noscript", "svg", "math", "iframe", "object", "embed", "canvas", "audio", "video",
    "nav", "footer", "head", "select", "button", "textarea", "input",
})  # fmt: skip
BLOCKS = frozenset({
    "address", "article", "aside", "blockquote", "body", "caption", "dd", "details", "div", "dl", "dt", "fieldset",
    "figcaption", "figure", "form", "header", "hr", "html", "li", "main", "ol", "p", "pre", "section", "summary",
    "table", "tbody", "tfoot", "thead", "tr", "ul", *HEADINGS,
})  # fmt: skip
# `<![if …]>` and the like: a comment to browsers, but Python's parser ends at some. `<![endif]-->` ends a real comment.
SECTION = r"<!\[(?!CDATA\[)[^>]*(?:(?<!--)>|\Z)"
CELLS = frozenset({"td", "th"})


def read_html(data: bytes) -> list[Block]:
    """The blocks of a page: of its `main` element where it has one, else of its body."""
    soup = _soup(data)
    outline = Outline()
    root = soup.find("main") or soup.find(role="main") or soup.find("body") or soup
    title = soup.find("title")
    if title is not None and root.find("h1") is None:
        outline.heading(1, title.get_text(" "))
    _Walk(outline).walk(root)
    return outline.finish()


def html_text(fragment: str) -> str:
    """The words of a piece of HTML inside another format."""
    outline = Outline()
    _Walk(outline).walk(_soup(fragment))
    return "\n".join(block.text for block in outline.finish())


def _soup(source: bytes | str) -> "BeautifulSoup":
    from bs4 import BeautifulSoup

    if isinstance(source, bytes):
        return BeautifulSoup(re.sub(SECTION.encode(), b"", source), "html.parser")
    return BeautifulSoup(re.sub(SECTION, "", source), "html.parser")


class _Walk:
    """Goes through a tree without recursion, so that no depth of nesting can end it."""

    def __init__(self, outline: Outline) -> None:
        self.outline = outline
        self.parts: list[str] = []
        self.preformatted = 0

    def walk(self, root: "Tag") -> None:
        """Everything visible below `root`, in order."""
        from bs4 import Tag

        waiting: list[tuple[PageElement, bool]] = [(child, False) for child in reversed(root.contents)]
        while waiting:
            node, leaving = waiting.pop()
            if not isinstance(node, Tag):
                self._words(node)
            elif leaving:
                self._leave(node.name)
            elif self._enter(node):
                waiting.append((node, True))
                waiting.extend((child, False) for child in reversed(node.contents))
        self._flush()

    def _words(self, node: "PageElement") -> None:
        from bs4.element import CData, NavigableString

        # Comments, doctypes and processing instructions are subclasses: only words themselves are read.
        if type(node) in (NavigableString, CData):
            self.parts.append(str(node) if self.preformatted else re.sub(r"\s+", " ", str(node)))

    def _enter(self, tag: "Tag") -> bool:
        if tag.name in SKIPPED or tag.has_attr("hidden") or tag.get("aria-hidden") == "true":
            return False
        if tag.name in BLOCKS:
            self._flush()
        elif tag.name == "br":
            self.parts.append("\n")
        elif tag.name in CELLS and self.parts:
            self.parts.append(" | ")
        self.preformatted += tag.name == "pre"
        return True

    def _leave(self, name: str) -> None:
        self.preformatted -= name == "pre"
        if name in HEADINGS:
            self.outline.heading(HEADINGS[name], "".join(self.parts))
            self.parts.clear()
        elif name in BLOCKS:
            self._flush()

    def _flush(self) -> None:
        text = "".join(self.parts).strip(" |\n\t")
        self.parts.clear()
        self.outline.text(text)
