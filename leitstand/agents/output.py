"""An app's output as its view shows it: a text, a list, a table or JSON; a text wherever it is not what the view needs."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from leitstand.catalogue.kinds.control_values import words_of

FENCED = re.compile(r"\A\s*```[a-z]*\n(.*?)\n?```\s*\Z", re.DOTALL)
ENTRY = re.compile(r"\s*(?:[-*+]|\d{1,4}[.)])\s+(.+)")
MOST_ROWS, MOST_COLUMNS = 1_000, 40


@dataclass(frozen=True)
class View:
    """What is shown.

    Args:
        kind: text, list, table or json.
        text: of a text, and of JSON.
        columns: of a table; its rows have a text for each.
    """

    kind: str
    text: str = ""
    entries: Sequence[str] = ()
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()


def view_of(output: str, kind: str) -> View:
    """The output in a view; models put JSON between fences, which are left out."""
    fenced = FENCED.match(output)
    value = _json(fenced[1] if fenced else output)
    if kind == "json" and value is not None:
        return View("json", text=json.dumps(value, ensure_ascii=False, indent=2))
    if kind == "list" and (entries := _entries(value, output)):
        return View("list", entries=entries)
    if kind == "table" and (table := _table(value)):
        return table
    return View("text", text=output)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _entries(value: Any, output: str) -> list[str]:
    """The elements of an array, or the points of a text that has nothing else."""
    if isinstance(value, list):
        return [words_of(one) for one in value[:MOST_ROWS]]
    lines = [line for line in output.splitlines() if line.strip()]
    found = [match[1] for line in lines if (match := ENTRY.fullmatch(line))]
    return found[:MOST_ROWS] if len(found) == len(lines) else []


def _table(value: Any) -> View | None:
    """Objects with their members as columns; what is no array of objects is no table."""
    if not isinstance(value, list) or not value or not all(isinstance(one, dict) for one in value):
        return None
    columns = list(dict.fromkeys(name for row in value[:MOST_ROWS] for name in row))[:MOST_COLUMNS]
    rows = [[words_of(row.get(name)) for name in columns] for row in value[:MOST_ROWS]]
    return View("table", columns=columns, rows=rows)
