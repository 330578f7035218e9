"""The reader of every kind of file."""

from collections.abc import Callable

from leitstand.knowledge.media import why_not
from leitstand.knowledge.parsing.html import read_html
from leitstand.knowledge.parsing.mail import read_mail
from leitstand.knowledge.parsing.markdown import read_markdown
from leitstand.knowledge.parsing.office import read_sheets, read_slides, read_word
from leitstand.knowledge.parsing.outline import Block, Unreadable
from leitstand.knowledge.parsing.pdf import read_pdf
from leitstand.knowledge.parsing.plain import read_plain
from leitstand.knowledge.parsing.table import read_csv

OFFICE = "application/vnd.openxmlformats-officedocument"
READERS: dict[str, Callable[[bytes], list[Block]]] = {
    "application/pdf": read_pdf,
    f"{OFFICE}.wordprocessingml.document": read_word,
    f"{OFFICE}.presentationml.presentation": read_slides,
    f"{OFFICE}.spreadsheetml.sheet": read_sheets,
    "message/rfc822": read_mail,
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
