"""What models are given to read: documents, attachments, answers of tools. It is quoted, so that nothing in it ends the quote."""

from unicodedata import category

MARK = "> "


def clean(text: str) -> str:
    """A text of several lines without what nobody sees: control characters, and letters that hide what a model reads."""
    lines = text.replace("\r\n", "\n")
    return "".join(letter if letter.isprintable() or letter in "\n\t" else " " for letter in lines).strip()


def as_written(text: str) -> str:
    """A text of several lines as a person wrote it, without control characters, which PostgreSQL does not keep and terminals
    obey. What joins the parts of a letter or of a picture stays, though nobody sees it.
    """
    lines = text.replace("\r\n", "\n")
    return "".join(
        " " if category(letter) == "Cc" and letter not in "\n\t" else letter for letter in lines
    ).strip()


def shortened(text: str, most: int) -> str:
    """A text of at most `most` characters, which says so where it had more."""
    if len(text) <= most:
        return text
    return f"{text[:most]}\n… (shortened: {len(text):,} characters in all)"


def quoted(text: str, most: int) -> str:
    """A text with a mark before each of its lines, whatever ends them."""
    return "\n".join(f"{MARK}{line}" for line in shortened(clean(text), most).splitlines())


def one_line(text: str) -> str:
    """A text as a title of ours: on one line, without what would look like the brackets around it."""
    return " ".join(clean(text).translate(BRACKETS).split())


BRACKETS = str.maketrans("[]", "()")
