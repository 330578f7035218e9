"""Word, PowerPoint and Excel: what is written in them, under its headings, slides and sheets; nothing in it is run."""

import io
from collections.abc import Callable, Iterable, Iterator
from functools import wraps
from typing import TYPE_CHECKING, Any

from leitstand.knowledge.parsing.bombs import is_packed
from leitstand.knowledge.parsing.outline import Block, Outline, Unreadable, opening
from leitstand.knowledge.parsing.table import row_text
from leitstand.words import N_

if TYPE_CHECKING:
    from docx.table import Table

DAMAGED = N_("It is damaged: it is no file of its kind that can be opened.")
# Office files that are locked with a password are of the older container's format.
LOCKED_OR_OLD = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
LOCKED = N_(
    "It is protected by a password, or of an older format. Save it anew without a password and upload it again."
)
Reader = Callable[[bytes], list[Block]]


def _opened(reader: Reader) -> Reader:
    """A reader that says of what can't be opened that it can't."""

    @wraps(reader)
    def reading(data: bytes) -> list[Block]:
        if data.startswith(LOCKED_OR_OLD):
            raise Unreadable(LOCKED)
        if not is_packed(data):
            raise Unreadable(DAMAGED)
        with opening(DAMAGED):
            return reader(data)

    return reading


@_opened
def read_word(data: bytes) -> list[Block]:
    """The paragraphs and the rows of the tables of a Word file, in their order."""
    from docx import Document
    from docx.text.paragraph import Paragraph

    outline = Outline()
    for block in Document(io.BytesIO(data)).iter_inner_content():
        if not isinstance(block, Paragraph):
            _table(outline, block)
        elif level := _level(block.style.name if block.style is not None else ""):
            outline.heading(level, block.text)
        else:
            outline.text(block.text)
    return outline.finish()


def _level(style: str | None) -> int:
    """The level of a heading by the name of its style, which is English in every language's files; 0: it is none."""
    name, _, number = (style or "").lower().partition(" ")
    if name == "heading" and number.isdigit():
        return int(number)
    return int(name == "title")


def _table(outline: Outline, table: "Table") -> None:
    for row in table.rows:
        # A cell that spans several is told once for each.
        cells = dict.fromkeys(cell._tc for cell in row.cells)
        words = {cell._tc: cell.text.strip() for cell in row.cells}
        outline.text(" | ".join(words[one] for one in cells if words[one]))


@_opened
def read_slides(data: bytes) -> list[Block]:
    """The words of each slide of a PowerPoint file under its title, and its notes."""
    from pptx import Presentation

    outline = Outline()
    for number, slide in enumerate(Presentation(io.BytesIO(data)).slides, start=1):
        title = slide.shapes.title
        outline.heading(1, title.text_frame.text if title is not None else "")
        if title is None or not title.text_frame.text.strip():
            outline.page(number)
        for words in _words(shape for shape in slide.shapes if shape != title):
            outline.text(words)
        if slide.has_notes_slide and slide.notes_slide.notes_text_frame is not None:
            outline.text(slide.notes_slide.notes_text_frame.text)
    return outline.finish()


def _words(shapes: Iterable[Any]) -> Iterator[str]:
    """What stands in shapes and in those that they group."""
    waiting = list(shapes)[::-1]
    while waiting:
        shape = waiting.pop()
        if hasattr(shape, "shapes"):
            waiting.extend(list(shape.shapes)[::-1])
        elif shape.has_text_frame:
            yield "\n".join(paragraph.text for paragraph in shape.text_frame.paragraphs)
        elif getattr(shape, "has_table", False):
            for row in shape.table.rows:
                yield " | ".join(cell.text.strip() for cell in row.cells if cell.text.strip())


@_opened
def read_sheets(data: bytes) -> list[Block]:
    """The rows of each sheet of an Excel file, each value under its column's name; of a formula what it gave last."""
    from openpyxl import load_workbook

    outline = Outline()
    book = load_workbook(io.BytesIO(data), read_only=True, data_only=True)
    for sheet in book.worksheets:
        if sheet.sheet_state != "visible":
            continue
        outline.heading(1, sheet.title)
        # What a file says of its size need not be so.
        sheet.reset_dimensions()
        rows = ([_cell(value) for value in row] for row in sheet.iter_rows(values_only=True))
        filled = (row for row in rows if any(row))
        header = next(filled, [])
        outline.text(" | ".join(name for name in header if name))
        for row in filled:
            outline.text(row_text(header, row))
    return outline.finish()


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()
