"""Cut blocks into passages: about 800 characters, on paragraph bounds, each with the headings above it."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from leitstand.knowledge.parsing.outline import Block

TARGET = 800
LONGEST = 1_200
HEADING_LONGEST = 300
PARAGRAPH_GAP = "\n\n"
HEADING_GAP = " › "
SENTENCE_END = re.compile(r"(?<=[.!?…])\s+|(?<=[。！？])|\n+")


@dataclass(frozen=True)
class Passage:
    """A piece of a document that is found and quoted as one."""

    heading: str
    content: str


def cut(title: str, blocks: Iterable[Block]) -> list[Passage]:
    """The passages of a document.

    Blocks under the same headings are joined up to `TARGET` characters; one longer than `LONGEST` is parted at the
    ends of sentences, or, where it has none, at blanks. Nothing is left out and nothing stands in two passages.
    """
    passages: list[Passage] = []
    heading, parts = "", list[str]()

    def close() -> None:
        if parts:
            passages.append(Passage(heading, PARAGRAPH_GAP.join(parts)))
            parts.clear()

    for block in blocks:
        above = heading_of(title, block.headings)
        for piece in _pieces(block.text):
            size = sum(map(len, parts)) + len(PARAGRAPH_GAP) * len(parts)
            if parts and (above != heading or size + len(piece) > TARGET):
                close()
            heading = above
            parts.append(piece)
    close()
    return passages


def heading_of(title: str, headings: Iterable[str]) -> str:
    """Where a passage stands: the title and the headings above, without the title's repetition."""
    path = [title, *headings]
    if len(path) > 1 and path[1].casefold() == title.casefold():
        path.pop(1)
    return HEADING_GAP.join(path)[:HEADING_LONGEST]


def _pieces(text: str) -> Iterator[str]:
    """A block as it is, or in pieces of at most `TARGET` where it is too long for one passage."""
    if len(text) <= LONGEST:
        yield text
        return
    held = ""
    for sentence in sentences(text):
        for part in _parts(sentence):
            if held and len(held) + 1 + len(part) > TARGET:
                yield held
                held = part
            else:
                held = f"{held} {part}".strip()
    if held:
        yield held


def sentences(text: str) -> list[str]:
    """The sentences and lines of a text, in order."""
    return [part.strip() for part in SENTENCE_END.split(text) if part and part.strip()]


def _parts(sentence: str) -> Iterator[str]:
    """A sentence in parts of at most `TARGET` characters, at blanks where there are any."""
    while len(sentence) > TARGET:
        at = sentence.rfind(" ", TARGET // 2, TARGET)
        at = at if at > 0 else TARGET
        yield sentence[:at].strip()
        sentence = sentence[at:].strip()
    if sentence:
        yield sentence
