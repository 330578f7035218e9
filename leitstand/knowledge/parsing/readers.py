"""The reader of every kind of file."""

from collections.abc import Callable

from leitstand.knowledge.media import why_not
from leitstand.knowledge.parsing.html import read_html
from leitstand.knowledge.parsing.markdown import read_markdown
from leitstand.knowledge.parsing.outline import Block, Unreadable
from leitstand.knowledge.parsing.plain import read_plain
from leitstand.knowledge.parsing.table import read_csv

READERS: dict[str, Callable[[bytes], list[Block]]] = {
    "text/markdown": read_markdown,
    "text/html": read_html,
    "application/xhtml+xml": read_html,
    "text/csv": read_csv,
    "text/plain": read_plain,
}


def read(media_type: str, data: bytes) -> list[Block]:
    """The text of a file in blocks.

    Raises:
        Unreadable: there is no reader for it, it is broken, or there is no text in it.
    """
    reader = READERS.get(media_type)
    if reader is None:
        raise Unreadable(why_not(media_type))
    if not data.strip():
        raise Unreadable("The file is empty.")
    blocks = reader(data)
    if not blocks:
        raise Unreadable("There is no text in it.")
    return blocks
