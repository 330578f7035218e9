"""Secrets in executed notebooks: found by their value and by their shape, and taken out before anything is archived."""

import base64
import copy
import html
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from leitstand.backups import keys, secret_files, secret_fingerprints
from leitstand.settings import Settings

SHORTEST = 6
REDACTED = "[redacted]"
ANSI = re.compile(r"\x1b\[[0-9;]*m")
BASE64 = re.compile(r"[A-Za-z0-9+/_\-\r\n]{16,}={0,2}")
URL_SAFE = str.maketrans("-_", "+/")
PATTERNS = {
    "an age private key": re.compile(r"AGE-SECRET-KEY-1[A-Z0-9]{20,}"),
    "a private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
    "an access key id": re.compile(r"\bAKIA[0-9A-Z]{16}\b"),
    "a password in an address": re.compile(r"\b[a-z][a-z0-9+]*://[^\s/:@\"']+:(?!\*\*\*@)[^\s/@\"']+@"),
    "a signed token": re.compile(r"\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}"),
}


@dataclass(frozen=True)
class Finding:
    """Where a secret stands; never its value."""

    cell: int
    kind: str

    def __str__(self) -> str:
        return f"{self.kind} in cell {self.cell}"


class Redactor:
    """Knows the secrets of an environment, as they are and, around a rotation, as they were."""

    def __init__(self, *settings: Settings) -> None:
        plain = {value: name for one in settings for value, name in _values(one).items()}
        self._plain = {value.encode(): name for value, name in plain.items()}
        self._values = {form: name for value, name in plain.items() for form in _forms(value)}

    def findings(self, notebook: Any) -> list[Finding]:
        """Every cell of a notebook, its source, outputs and metadata, with the kind of secret in it."""
        found = []
        for number, cell in enumerate(notebook.cells):
            plain = [*_strings(cell), *_streams(cell).values()]
            # Where they are cleaned too: what JSON writes between strings or in place of a character can look like one.
            kinds = [kind for kind, pattern in PATTERNS.items() if any(map(pattern.search, plain))]
            names = self._names_in("\n".join((_json(cell), *plain)))
            found += [Finding(number, kind) for kind in (*kinds, *sorted(names))]
        rest = {key: value for key, value in notebook.items() if key != "cells"}
        names = self._names_in("\n".join((_json(rest), *_strings(rest))))
        return found + [Finding(-1, name) for name in sorted(names)]

    def redacted(self, notebook: Any) -> Any:
        """A copy without them."""
        copied = copy.deepcopy(notebook)
        for cell in copied.cells:
            self._join_streams(cell)
        return _mapped(copied, self._clean)

    def cleaned(self, values: Any) -> Any:
        """A copy of any JSON values without them."""
        return _mapped(copy.deepcopy(values), self._clean)

    def _names_in(self, text: str) -> set[str]:
        bare = ANSI.sub("", text)
        names = {name for value, name in self._values.items() if value in text or value in bare}
        return names | {name for run in BASE64.findall(bare) for name in self._names_encoded(run)}

    def _names_encoded(self, run: str) -> set[str]:
        """Secrets inside of something that was encoded as a whole, wherever in it they begin."""
        text = "".join(run.split()).rstrip("=").translate(URL_SAFE)
        decoded = [_decoded(text[offset:]) for offset in range(4)]
        return {name for value, name in self._plain.items() if any(value in one for one in decoded)}

    def _clean(self, text: str) -> str:
        if any(value in (bare := ANSI.sub("", text)) and value not in text for value in self._values):
            text = bare
        for value in sorted(self._values, key=len, reverse=True):
            text = text.replace(value, REDACTED)
        for pattern in PATTERNS.values():
            text = pattern.sub(REDACTED, text)
        return BASE64.sub(lambda run: REDACTED if self._names_encoded(run[0]) else run[0], text)

    def _join_streams(self, cell: Any) -> None:
        """What was printed in pieces becomes one piece where a secret lies across them."""
        for name, text in _streams(cell).items():
            pieces = [output for output in cell.outputs if output.get("name") == name]
            if self._clean(text) != "".join(self._clean(output.text) for output in pieces):
                pieces[0].text = text
                cell.outputs = [output for output in cell.outputs if output not in pieces[1:]]


def _streams(cell: Any) -> dict[str, str]:
    """stdout and stderr of a cell, each as one text."""
    found: dict[str, str] = {}
    for output in cell.get("outputs", []):
        if output.get("output_type") == "stream":
            found[output["name"]] = found.get(output["name"], "") + output["text"]
    return found


def _decoded(text: str) -> bytes:
    usable = text[: len(text) - len(text) % 4]
    return base64.b64decode(usable)


def _forms(value: str) -> set[str]:
    """The forms in which a value travels."""
    raw = value.encode()
    return {
        value,
        quote(value, safe=""),
        json.dumps(value)[1:-1],
        html.escape(value),
        html.escape(value, quote=False),
        raw.hex(),
        base64.b64encode(raw).decode(),
        base64.urlsafe_b64encode(raw).decode(),
    }


def _mapped(part: Any, change: Callable[[str], str]) -> Any:
    """The same structure with every string in it changed, names included; lines that only together change become one."""
    if isinstance(part, str):
        return change(part)
    if isinstance(part, dict):
        for key in list(part):
            part[change(key)] = _mapped(part.pop(key), change)
    if isinstance(part, list):
        together = "".join(part) if part and all(isinstance(item, str) for item in part) else ""
        changed = [_mapped(item, change) for item in part]
        part[:] = [change(together)] if together and change(together) != "".join(changed) else changed
    return part


def _json(part: Any) -> str:
    return json.dumps(part, ensure_ascii=False)


def _strings(part: Any) -> list[str]:
    """Every string in it, names included, and lines as one text as well."""
    if isinstance(part, str):
        return [part]
    if isinstance(part, dict):
        return [text for pair in part.items() for value in pair for text in _strings(value)]
    if isinstance(part, list):
        joined = ["".join(part)] if part and all(isinstance(item, str) for item in part) else []
        return joined + [text for item in part for text in _strings(item)]
    return []


def _values(settings: Settings) -> dict[str, str]:
    """Value -> name of the secret."""
    named = {
        name.split("/")[-1].removeprefix("leitstand_"): content.decode(errors="replace")
        for name, content in secret_files.gather(settings).items()
    }
    named |= {
        f"key {path.name}": line
        for path in keys.keys_dir(settings).glob("*.agekey")
        for line in path.read_text().splitlines()
        if line.startswith("AGE-SECRET-KEY")
    }
    fingerprint_key = keys.keys_dir(settings) / secret_fingerprints.FILE
    if fingerprint_key.exists():
        named["the fingerprints' key"] = fingerprint_key.read_text()
    parts = [(name, part) for name, raw in named.items() for part in _parts(name, raw.strip())]
    return {value: f"the value of {name}" for name, value in parts if len(value) >= SHORTEST}


def _parts(name: str, value: str) -> set[str]:
    """A value and, where it holds several, each of them: earlier session secrets stand behind the time of their end."""
    several = value.split() if name == "session_secret_previous" else []
    return {value, *(one.partition(":")[2] for one in several)}
