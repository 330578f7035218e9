"""PDF: the text of each page, under its number. What is a picture of text only has none."""

import io
import logging
import re

from leitstand.knowledge.parsing.outline import Block, Outline, Unreadable, opening
from leitstand.knowledge.parsing.plain import paragraphs
from leitstand.words import N_

# A word that goes on in the next line.
HYPHENATED = re.compile(r"(?<=[^\W\d_])-\n(?=[^\W\d_A-Z])")
LOCKED = N_("It is protected by a password. Save it without one and upload it again.")
DAMAGED = N_("It is damaged: it is no PDF file that can be opened.")
SCANNED = N_("There is no text in it: it may be scanned. Recognise its text (OCR) and upload it again.")


def read_pdf(data: bytes) -> list[Block]:
    """The paragraphs of a PDF file, page by page.

    Raises:
        Unreadable: it is damaged, protected, or has no text, as a scan without text recognition.
    """
    from pypdf import PdfReader
    from pypdf.errors import FileNotDecryptedError

    # It tells of every small fault of a file that it can read all the same.
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    outline = Outline()
    with opening(DAMAGED):
        try:
            # Opened with an empty password, as viewers do, where that is enough.
            for number, page in enumerate(PdfReader(io.BytesIO(data)).pages, start=1):
                outline.page(number)
                for paragraph in paragraphs(HYPHENATED.sub("", page.extract_text())):
                    outline.text(paragraph)
        except FileNotDecryptedError:
            raise Unreadable(LOCKED) from None
    if not outline.blocks:
        raise Unreadable(SCANNED)
    return outline.finish()
