"""Texts and files that break programs: those of the shared data, where it is there, and some of our own."""

import json
import random
import unicodedata
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from leitstand.words.letters import MAKING_WORDS

SHARED = Path(__file__).resolve().parents[4] / "shared" / "data"
ONE_OF = 80
SCRIPT = "<script>alert(1)</script>"
OWN = {
    "NUL": "a\x00b",
    "half of a character": "a\ud800b",
    "right to left": "\u202egnp.exe",
    "combining": "Z" + "\u0310\u0334\u0489" * 40,
    "emoji": "\U0001f469\u200d\U0001f469\u200d\U0001f467 \U0001f3f4\U000e0067\U000e007f",
    "formula": "=cmd|' /C calc'!A0",
    "lines": "one\r\nSet-Cookie: a=b\r\n\r\ntwo",
    "path": "../../../../etc/passwd",
    "markup": f"\"'>{SCRIPT}{{{{7*7}}}}",
    "decomposed": "Cafe\u0301",
    "long": "x" * 100_000,
    "space only": " \u00a0\u3000 ",
    "number": "9" * 40,
    "JSON": '{"a": [1, "b"]}',
    "percent": "%s%n%(a)s{0}{a}",
}


def texts() -> list[str]:
    """All of them."""
    file = SHARED / "bad-input" / "naughty-strings" / "blns.json"
    known = json.loads(file.read_text()) if file.exists() else []
    return [*OWN.values(), *known]


def sample(of: str, number: int) -> list[str]:
    """Some of our own, always the same ones for a name and others for another one."""
    return random.Random(of).sample([*OWN.values()], number)


def chosen(place: str, text: str) -> bool:
    """Whether a text is sent to a place in the long form: some of our own, and some of the others, in each place others.

    All to all of them are half a million requests; so each of the shared texts comes to a dozen places of the API.
    """
    some = zlib.crc32(f"{place} {text}".encode(errors="replace")) % ONE_OF == 0
    return some or text in sample(place, 3)


def same(sent: str, read: object) -> bool:
    """Whether what is read is what was sent: composed, and whatever became of its blanks and controls."""
    return isinstance(read, str) and visible(_plain(sent)) == visible(_plain(read))


def holds(read: str, sent: str) -> bool:
    """Whether what was sent stands in what is read, as `same` compares them."""
    return visible(_plain(sent)) in visible(_plain(read))


def inside(document: Any) -> Iterator[str]:
    """Every text of a JSON document, the names of members too, and what is JSON within a text."""
    if isinstance(document, str):
        yield document
        with suppress(ValueError):
            inner = json.loads(document)
            if isinstance(inner, dict | list):
                yield from inside(inner)
    elif isinstance(document, list):
        for one in document:
            yield from inside(one)
    elif isinstance(document, dict):
        for name, one in document.items():
            yield name
            yield from inside(one)


def _plain(text: str) -> str:
    # A form has no half characters: their bytes are read as what stands for bytes that are no text.
    whole = text.encode(errors="surrogatepass").decode(errors="replace")
    lines = whole.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "")
    return unicodedata.normalize("NFC", lines).strip()


def visible(text: str) -> str:
    """What can be seen of a text: that is never lost, whatever becomes of its blanks and controls."""
    return "".join(c for c in text if c in MAKING_WORDS or (c.isprintable() and not c.isspace()))
