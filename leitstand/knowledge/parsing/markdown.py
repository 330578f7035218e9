"""Markdown (CommonMark with tables): headings, paragraphs, items, rows and code, without the marks."""

import re
from typing import TYPE_CHECKING

from leitstand.knowledge.parsing.html import html_text
from leitstand.knowledge.parsing.outline import Block, Outline
from leitstand.knowledge.parsing.plain import decode

if TYPE_CHECKING:
    from markdown_it.token import Token

FRONT_MATTER = re.compile(r"\A---[^\S\n]*\n(.*?)\n---[^\S\n]*(?:\n|\Z)", re.DOTALL)
FRONT_MATTER_WORDS = re.compile(r"^(title|description)\s*:\s*(.+)$", re.MULTILINE)
SHOWN_INLINE = {"text", "code_inline", "image"}


def read_markdown(data: bytes) -> list[Block]:
    """The blocks of a Markdown file; of its front matter, title and description."""
    from markdown_it import MarkdownIt

    outline = Outline()
    text = _front_matter(decode(data).replace("\r\n", "\n"), outline)
    tokens = _Tokens(outline)
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        tokens.take(token)
    return outline.finish()


class _Tokens:
    """Puts markdown-it's tokens, one after another, into an outline."""

    def __init__(self, outline: Outline) -> None:
        self.outline = outline
        self.level = 0
        self.row: list[str] | None = None

    def take(self, token: "Token") -> None:
        match token.type:
            case "heading_open":
                self.level = int(token.tag[1:])
            case "tr_open":
                self.row = []
            case "tr_close":
                self.outline.text(" | ".join(self.row or []))
                self.row = None
            case "inline":
                self._words(_inline(token))
            case "fence" | "code_block":
                self.outline.text(token.content)
            case "html_block":
                self.outline.text(html_text(token.content))

    def _words(self, words: str) -> None:
        if self.level:
            self.outline.heading(self.level, words)
            self.level = 0
        elif self.row is not None:
            self.row.append(words)
        else:
            self.outline.text(words)


def _front_matter(text: str, outline: Outline) -> str:
    found = FRONT_MATTER.match(text.lstrip("\ufeff"))
    if found is None:
        return text
    for name, value in FRONT_MATTER_WORDS.findall(found.group(1)):
        words = value.strip().strip("\"'")
        outline.heading(1, words) if name == "title" else outline.text(words)
    return text.lstrip("\ufeff")[found.end() :]


def _inline(token: "Token") -> str:
    parts = []
    for child in token.children or []:
        if child.type in SHOWN_INLINE:
            parts.append(child.content)
        elif child.type in ("softbreak", "hardbreak"):
            parts.append("\n")
    return "".join(parts)
