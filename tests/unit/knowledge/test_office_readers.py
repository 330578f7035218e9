"""Readers of PDF, Word, PowerPoint, Excel and e-mail, on files that are made here and on broken ones."""

import io
import zipfile
from collections.abc import Callable

import pytest
from docx import Document
from openpyxl import Workbook
from pptx import Presentation
from pptx.util import Inches
from pypdf import PdfReader, PdfWriter

from leitstand.knowledge.media import SUFFIXES, media_type_of
from leitstand.knowledge.parsing.outline import Unreadable
from leitstand.knowledge.parsing.process import parse
from leitstand.knowledge.parsing.readers import read

Texts = list[tuple[tuple[str, ...], str]]


def texts(name: str, data: bytes) -> Texts:
    return [(block.headings, block.text) for block in read(media_type_of(name), data)]


def pdf(*pages: str) -> bytes:
    """A PDF file of pages of lines, without what a reader can do without."""
    parts = [b"%PDF-1.4\n"]
    kids = " ".join(f"{3 + 2 * number} 0 R" for number in range(len(pages)))
    objects = ["<< /Type /Catalog /Pages 2 0 R >>", f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>"]
    font = "<< /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >>"
    for number, page in enumerate(pages):
        lines = " T* ".join(f"({line}) Tj" for line in page.split("\n"))
        stream = f"BT /F1 12 Tf 14 TL 72 700 Td {lines} ET" if page else ""
        objects += [
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Resources << /Font {font} >> /Contents {4 + 2 * number} 0 R >>",
            f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream",
        ]
    offsets = []
    for number, one in enumerate(objects, start=1):
        offsets.append(sum(map(len, parts)))
        parts.append(f"{number} 0 obj\n{one}\nendobj\n".encode())
    start = sum(map(len, parts))
    table = "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    trailer = f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n"
    parts.append(f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}{trailer}".encode())
    return b"".join(parts)


def locked(data: bytes, password: str) -> bytes:
    writer, written = PdfWriter(clone_from=PdfReader(io.BytesIO(data))), io.BytesIO()
    writer.encrypt(password, owner_password="the owner's", algorithm="AES-256")
    writer.write(written)
    return written.getvalue()


def saved(save: Callable[[io.BytesIO], object]) -> bytes:
    written = io.BytesIO()
    save(written)
    return written.getvalue()


@pytest.fixture
def word() -> bytes:
    document = Document()
    document.add_heading("The guide", 0)
    document.add_paragraph("Before any heading.")
    document.add_heading("Herons", 1)
    document.add_paragraph("They weigh two kilograms.")
    table = document.add_table(2, 2)
    for row, (left, right) in zip(table.rows, (("bird", "weight"), ("heron", "2 kg")), strict=True):
        row.cells[0].text, row.cells[1].text = left, right
    document.add_heading("Grey ones", 2)
    document.add_paragraph("Live near water.", style="List Bullet")
    document.add_heading("Bread", 1)
    return saved(document.save)


def test_a_pdf_is_read_page_by_page() -> None:
    data = pdf("Herons live near fresh wa-\nter and weigh two kilograms.", "", "The second page of them.")
    assert texts("a.pdf", data) == [
        (("p. 1",), "Herons live near fresh water and weigh two kilograms."),
        (("p. 3",), "The second page of them."),
    ]


def test_a_scan_and_a_locked_or_damaged_pdf_say_what_to_do() -> None:
    data = pdf("Herons.")
    assert texts("a.pdf", locked(data, "")) == [(("p. 1",), "Herons.")], "as every viewer opens it"
    for broken, reason in (
        (pdf("", ""), "it may be scanned"),
        (locked(data, "secret"), "protected by a password"),
        (b"%PDF-1.7 \x00\x01", "It is damaged"),
        (b"<html>not found</html>", "It is damaged"),
    ):
        with pytest.raises(Unreadable, match=reason):
            read("application/pdf", broken)


def test_a_word_file_has_its_headings_and_tables_in_order(word: bytes) -> None:
    assert texts("a.docx", word) == [
        (("The guide",), "Before any heading."),
        (("Herons",), "They weigh two kilograms."),
        (("Herons",), "bird | weight"),
        (("Herons",), "heron | 2 kg"),
        (("Herons", "Grey ones"), "Live near water."),
        ((), "Bread"),
    ]


def test_slides_stand_under_their_titles_with_their_notes() -> None:
    deck = Presentation()
    first = deck.slides.add_slide(deck.slide_layouts[1])
    first.shapes.title.text_frame.text = "Herons"
    first.placeholders[1].text_frame.text = "Two kilograms"
    first.notes_slide.notes_text_frame.text = "Say it slowly."
    second = deck.slides.add_slide(deck.slide_layouts[6])
    group = second.shapes.add_group_shape()
    group.shapes.add_textbox(0, 0, Inches(1), Inches(1)).text_frame.text = "Within a group"
    table = second.shapes.add_table(1, 2, 0, 0, Inches(2), Inches(1)).table
    table.cell(0, 0).text, table.cell(0, 1).text = "bird", "weight"
    assert texts("a.pptx", saved(deck.save)) == [
        (("Herons",), "Two kilograms"),
        (("Herons",), "Say it slowly."),
        (("p. 2",), "Within a group"),
        (("p. 2",), "bird | weight"),
    ]


def test_the_rows_of_sheets_stand_under_their_columns() -> None:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "Birds"
    for row in ((None, None), ("bird", "weight"), ("heron", 2.0), (None, None), ("stork", 3.5)):
        sheet.append(row)
    hidden = book.create_sheet("Salaries")
    hidden.append(("name", "salary"))
    hidden.sheet_state = "hidden"
    assert texts("a.xlsx", saved(book.save)) == [
        (("Birds",), "bird | weight"),
        (("Birds",), "bird: heron; weight: 2"),
        (("Birds",), "bird: stork; weight: 3.5"),
    ]


MAIL = b"""From: Ana <ana@example.test>
To: ben@example.test
Subject: =?utf-8?q?Herons_=E2=80=93_how_heavy=3F?=
Date: Fri, 27 Nov 2026 10:00:00 +0000
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=x

--x
Content-Type: multipart/alternative; boundary=y

--y
Content-Type: text/plain; charset=iso-8859-1
Content-Transfer-Encoding: quoted-printable

Two kilograms.

Gr=FC=DFe
--y
Content-Type: text/html

<p>In <b>HTML</b></p>
--y--
--x
Content-Type: application/pdf
Content-Disposition: attachment; filename="herons.pdf"

%PDF
--x--
"""


def test_an_e_mail_is_read_as_its_reader_sees_it() -> None:
    heading = ("Herons – how heavy?",)
    heads = "From: Ana <ana@example.test>\nTo: ben@example.test\nDate: Fri, 27 Nov 2026 10:00:00 +0000"
    assert texts("a.eml", MAIL) == [
        (heading, heads),
        (heading, "Two kilograms."),
        (heading, "Grüße"),
        (heading, "herons.pdf"),
    ]
    html = (
        b"Subject: x\nContent-Type: text/html; charset=unheard-of\n\n<p>One</p><script>no</script><p>Two</p>"
    )
    assert texts("a.eml", html)[-1][1] == "One\nTwo"
    with pytest.raises(Unreadable, match="no e-mail"):
        read("message/rfc822", b"\n\nwords")


@pytest.mark.parametrize("suffix", [".docx", ".pptx", ".xlsx"])
def test_office_files_that_are_none_say_so(suffix: str, word: bytes) -> None:
    kind = SUFFIXES[suffix]
    empty = saved(lambda file: zipfile.ZipFile(file, "w").close())
    for data, reason in (
        (b"PK\x03\x04", "It is damaged"),
        (b"not packed", "It is damaged"),
        (empty, "It is damaged"),
        (word[: len(word) // 2], "It is damaged"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 512, "protected by a password, or of an older format"),
    ):
        with pytest.raises(Unreadable, match=reason):
            read(kind, data)


def test_an_entity_inside_of_an_office_file_is_not_expanded(word: bytes) -> None:
    """Neither a file of the machine nor a bomb comes out of it."""
    written = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(word)) as before, zipfile.ZipFile(written, "w") as after:
        for name in before.namelist():
            content = before.read(name)
            if name == "word/document.xml":
                start = content.index(b"<w:document")
                entity = b'<!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/hostname">]>'
                content = content[:start] + entity + content[start:]
                content = content.replace(b"Before any heading.", b"Before &x; heading.")
            after.writestr(name, content)
    [found] = [text for _, text in texts("a.docx", written.getvalue()) if text.startswith("Before")]
    assert found == "Before"


def test_they_are_read_within_the_limits_of_the_readers_process(word: bytes) -> None:
    passages = parse(SUFFIXES[".docx"], "guide.docx", word)
    assert passages[0].heading == "guide.docx › The guide" and "Before any heading." in passages[0].content
    assert [one.heading for one in parse("application/pdf", "a.pdf", pdf("Herons."))] == ["a.pdf › p. 1"]
