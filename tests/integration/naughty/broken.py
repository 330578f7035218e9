"""Files that break programs: some of our own, and those of the shared data where it is there."""

import gzip
import io
import json
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from httpx import Response

from tests.integration.naughty.texts import SHARED

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
BOMB = f'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY l0 "ha">{LAUGHS}]><l>&l9;</l>'.encode()
ENTITY = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>'


def zipped(name: str, content: bytes) -> bytes:
    """An archive with one file in it."""
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return whole.getvalue()


def own() -> dict[str, bytes]:
    """Name -> content."""
    word, pdf = zipped("word/document.xml", BOMB), b"%PDF-1.7\n1 0 obj\n<< /Length 99999 >>\nstream\n"
    return {
        "empty.txt": b"",
        "blank.md": b" \n\t\n",
        "cut.zip": word[: len(word) // 2],
        "cut.docx": word[:-30],
        "cut.pdf": pdf,
        "bomb.zip": zipped("zeros", bytes(20_000_000)),
        "bomb.docx": word,
        "up.zip": zipped("../../../../etc/cron.d/x", b"x"),
        "bomb.xml": BOMB,
        "bomb.html": BOMB,
        "entity.xhtml": ENTITY,
        "picture.csv": PNG,
        "picture.md": PNG,
        "picture.json": PNG,
        "nul.txt": b"a\x00b",
        "half.txt": b"\xed\xa0\x80 \xff\xfe",
        "wide.csv": "title\nCafé".encode("utf-16"),
        "latin.csv": "title\nCafé".encode("latin-1"),
        "open.csv": b'title,tags\n"never closed\nand so on',
        "long.csv": b"title\n" + b"x" * 1_000_000,
        "many.csv": b",".join(b"title" for _ in range(10_000)) + b"\n",
        "deep.json": b"[" * 100_000,
        "number.json": b'{"format": ' + b"9" * 10_000 + b"}",
        "deep.html": b"<div>" * 20_000 + b"words",
        "deep.md": b"> " * 2_000 + b"words " + b"*[(" * 2_000,
        "cut.csv.gz": gzip.compress(b"title\nOne\n" * 1_000)[:-20],
        "bomb.csv.gz": gzip.compress(bytes(40_000_000)),
        "cut.parquet": b"PAR1" + b"\x00" * 50,
        "x" * 5_000 + ".txt": b"a name that is too long",
        "a\x00b.txt": b"NUL in its name",
        "../../etc/passwd": b"a path for a name",
        'q";x="\u202etxt.exe': b"signs in its name",
        "CON": b"a device for a name",
        ".": b"a dot for a name",
    }


def shared(folder: str, *, cut: bool = False) -> Iterator[tuple[str, bytes]]:
    """Those of a folder of the shared data; `cut`: the first half of each, and the whole with a byte turned in eight."""
    for file in sorted((SHARED / folder).rglob("*")):
        if not file.is_file() or file.name.startswith("README") or file.name == "LICENSE":
            continue
        data = file.read_bytes()
        if not cut:
            yield file.name, data
        else:
            yield f"cut {file.name}", data[: len(data) // 2]
            yield f"torn {file.name}", torn(data)


def torn(data: bytes) -> bytes:
    """The same with every eighth byte of its beginning turned."""
    start = bytearray(data[:8_000])
    start[::8] = bytes(255 - one for one in start[::8])
    return bytes(start) + data[8_000:]


def told_why(answer: Response, *, page: bool) -> bool:
    """Whether a refusal says what is wrong; a form that can't be read at all is refused on a page of its own."""
    if not page:
        return bool(answer.json().get("detail"))
    return 'role="alert"' in answer.text or answer.headers["x-request-id"] in answer.text


def answers(name: str) -> list[dict[str, str]]:
    """What a table of the shared data says, as its own test has it."""
    file = SHARED / "bad-input" / "csv" / "json" / f"{Path(name).stem}.json"
    found = json.loads(file.read_text())
    return found if isinstance(found, list) else [found]


def turn(name: str, of: int) -> int:
    """A number below `of`, always the same for a name."""
    return zlib.crc32(name.encode(errors="replace")) % of
