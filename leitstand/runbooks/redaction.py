"""Secrets in executed notebooks: found by their value and by their shape, and taken out before anything is archived."""

import base64
import copy
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
        self._values = {value: name for one in settings for value, name in _values(one).items()}

    def findings(self, notebook: Any) -> list[Finding]:
        """Every cell of a notebook, its source, outputs and metadata, with the kind of secret in it."""
        found = []
        for number, cell in enumerate(notebook.cells):
            text = _text(cell)
            kinds = [kind for kind, pattern in PATTERNS.items() if pattern.search(text)]
            kinds += sorted({name for value, name in self._values.items() if value in text})
            found += [Finding(number, kind) for kind in kinds]
        rest = _text({key: value for key, value in notebook.items() if key != "cells"})
        found += [Finding(-1, name) for value, name in self._values.items() if value in rest]
        return found

    def redacted(self, notebook: Any) -> Any:
        """A copy without them."""
        return _mapped(copy.deepcopy(notebook), self._clean)

    def cleaned(self, values: Any) -> Any:
        """A copy of any JSON values without them."""
        return _mapped(copy.deepcopy(values), self._clean)

    def _clean(self, text: str) -> str:
        for value in sorted(self._values, key=len, reverse=True):
            text = text.replace(value, REDACTED)
        for pattern in PATTERNS.values():
            text = pattern.sub(REDACTED, text)
        return text


def _mapped(part: Any, change: Callable[[str], str]) -> Any:
    """The same structure with every string in it changed."""
    if isinstance(part, str):
        return change(part)
    if isinstance(part, dict):
        for key, value in part.items():
            part[key] = _mapped(value, change)
    if isinstance(part, list):
        part[:] = [_mapped(item, change) for item in part]
    return part


def _text(part: Any) -> str:
    """Everything in it, as it is written and as JSON writes it."""
    return json.dumps(part, ensure_ascii=False) + "\n" + "\n".join(_strings(part))


def _strings(part: Any) -> list[str]:
    if isinstance(part, str):
        return [part]
    if isinstance(part, dict):
        return [text for value in part.values() for text in _strings(value)]
    if isinstance(part, list):
        joined = ["".join(part)] if part and all(isinstance(item, str) for item in part) else []
        return joined + [text for item in part for text in _strings(item)]
    return []


def _values(settings: Settings) -> dict[str, str]:
    """Value -> name of the secret, in the forms in which values travel."""
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
    found: dict[str, str] = {}
    parts = [(name, part) for name, raw in named.items() for part in _parts(name, raw.strip())]
    for secret, value in parts:
        if len(value) >= SHORTEST:
            forms = {
                value,
                quote(value, safe=""),
                json.dumps(value)[1:-1],
                base64.b64encode(value.encode()).decode(),
            }
            found |= dict.fromkeys(forms, f"the value of {secret}")
    return found


def _parts(name: str, value: str) -> set[str]:
    """A value and, where it holds several, each of them: earlier session secrets stand behind the time of their end."""
    several = value.split() if name == "session_secret_previous" else []
    return {value, *(one.partition(":")[2] for one in several)}
