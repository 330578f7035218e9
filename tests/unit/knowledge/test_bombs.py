"""Archives and XML files that are made to exhaust their reader."""

import io
import zipfile

import pytest

from leitstand.knowledge.parsing.bombs import refuse_bombs
from leitstand.knowledge.parsing.outline import Unreadable


def packed(*entries: tuple[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return file.getvalue()


LAUGHS = b'<!DOCTYPE a [<!ENTITY b "ha"><!ENTITY c "&b;&b;">]><a>&c;</a>'


@pytest.mark.parametrize(
    "data",
    [
        packed(("a.txt", bytes(20_000_000))),
        packed(*((f"{number}.zip", b"x") for number in range(51))),
        packed(*((str(number), b"") for number in range(10_001))),
        LAUGHS,
        b'<?xml version="1.0"?>' + LAUGHS,
        b"\xef\xbb\xbf\n" + LAUGHS,
        b"\xff\xfe" + LAUGHS.decode().encode("utf-16-le"),
    ],
    ids=["dense", "nested", "many", "entities", "declared", "marked", "wide"],
)
def test_a_bomb_is_refused(data: bytes) -> None:
    with pytest.raises(Unreadable, match="exhaust"):
        refuse_bombs(data)


@pytest.mark.parametrize(
    "data",
    [
        packed(("word/document.xml", b"<w:p>text</w:p>" * 1000)),
        b"PK\x03\x04 broken",
        b"<!DOCTYPE html><p>Write &lt;!ENTITY&gt; like this</p>",
        b"# About <!ENTITY in a text",
        b"",
    ],
)
def test_an_honest_file_is_not(data: bytes) -> None:
    refuse_bombs(data)
