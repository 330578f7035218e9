"""What every reader makes of a file: its text in blocks, each under the headings above it."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from leitstand.words import msg

# A document of more text than this is an archive, not something people ask about as one.
MAX_CHARACTERS = 5_000_000
HEADING_LENGTH = 200
# C0 and C1 controls without tab and line end, and lone surrogates: PostgreSQL takes none of them as text.
UNSTORABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufeff]")
BLANK_RUNS = re.compile(r"[^\S\n]+")


class Unreadable(Exception):
    """A file that can't become text; the message is a sentence for the person who uploaded it."""


@contextmanager
def opening(damaged: str) -> Iterator[None]:
    """Say of a file that it is damaged, whatever that leads its reader to; what says more, or that it is too much, goes on."""
    try:
        yield
    except (Unreadable, MemoryError, RecursionError):
        raise
    except Exception:
        raise Unreadable(damaged) from None


@dataclass(frozen=True)
class Block:
    """A paragraph, list item, row or code block, and the headings above it, outermost first."""

    headings: tuple[str, ...]
    text: str


@dataclass
class Outline:
    """Collects headings and text in the order of the file."""

    blocks: list[Block] = field(default_factory=list)
    _path: list[tuple[int, str]] = field(default_factory=list)
    _bare: bool = False
    _size: int = 0

    def heading(self, level: int, text: str) -> None:
        """A heading; it ends the sections of its own and deeper levels."""
        text = tidy(text).replace("\n", " ")[:HEADING_LENGTH]
        if not text:
            return
        if self._bare and self._path and level <= self._path[-1][0]:
            self._keep_bare()
        self._path = [entry for entry in self._path if entry[0] < level] + [(level, text)]
        self._bare = True

    def page(self, number: int) -> None:
        """A page or slide that has no name of its own; it ends what was before, and is nothing by itself."""
        self.finish()
        self._path, self._bare = [(1, f"p. {number}")], False

    def text(self, text: str) -> None:
        """A block of text under the headings so far.

        Raises:
            Unreadable: the file holds more text than a document may.
        """
        text = tidy(text)
        if not text:
            return
        self._size += len(text)
        if self._size > MAX_CHARACTERS:
            raise Unreadable(
                msg(
                    "It holds more than {max_characters:,} characters of text. Split it into several documents.",
                    max_characters=MAX_CHARACTERS,
                )
            )
        self.blocks.append(Block(tuple(entry[1] for entry in self._path), text))
        self._bare = False

    def finish(self) -> list[Block]:
        """Every block; a heading with nothing under it is kept as text of the section around it."""
        if self._bare:
            self._keep_bare()
        return self.blocks

    def _keep_bare(self) -> None:
        _, heading = self._path.pop()
        self.text(heading)


def tidy(text: str) -> str:
    """Text that can be stored and read: no control characters, one kind of line end, no runs of blanks."""
    text = UNSTORABLE.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    lines = (BLANK_RUNS.sub(" ", line).strip() for line in text.split("\n"))
    return "\n".join(line for line in lines if line)
