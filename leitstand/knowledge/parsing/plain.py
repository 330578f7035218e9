"""Plain text: paragraphs between empty lines, in whatever encoding it came."""

import re

from leitstand.knowledge.parsing.outline import Block, Outline, Unreadable

BOMS = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
SAMPLE = 200_000
PARAGRAPH_END = re.compile(r"\n[^\S\n]*\n")


def read_plain(data: bytes) -> list[Block]:
    """The paragraphs of a text file."""
    outline = Outline()
    for paragraph in paragraphs(decode(data)):
        outline.text(paragraph)
    return outline.finish()


def paragraphs(text: str) -> list[str]:
    """The parts of a text between empty lines."""
    return PARAGRAPH_END.split(text.replace("\r\n", "\n").replace("\r", "\n"))


def decode(data: bytes) -> str:
    """The text of a file: by its byte order mark, as UTF-8, else in the encoding that fits it best.

    Raises:
        Unreadable: it is no text.
    """
    for mark, encoding in BOMS:
        if data.startswith(mark):
            return data.decode(encoding, errors="replace")
    if b"\0" in data:
        raise Unreadable("It is not a text file: it holds binary data.")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return _guess(data)


def _guess(data: bytes) -> str:
    from charset_normalizer import from_bytes

    best = from_bytes(data[:SAMPLE]).best()
    if best is None:
        raise Unreadable("Its character encoding can't be recognised. Save it as UTF-8 and upload it again.")
    return data.decode(best.encoding, errors="replace")
