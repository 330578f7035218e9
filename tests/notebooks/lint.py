"""Rules for the notebooks in the repository: thin, without outputs, one parameters cell, no secrets, an assertion last.

`python -m tests.notebooks.lint` prints what breaks them and exits with 1.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from leitstand.errors import InvalidInput
from leitstand.runbooks import documents
from leitstand.runbooks.library import FILE
from leitstand.runbooks.parameters import checked
from leitstand.settings import REPOSITORY

FOLDER = REPOSITORY / "notebooks"
MOST_LINES = 12
SECRET = re.compile(
    r"password|passwd|secret|private_key|api_key|access_key|credential|AGE-SECRET|://[^\s/'\"]+:[^\s/'\"]+@",
    re.IGNORECASE,
)
ABSOLUTE = re.compile(r"""["'](/[a-z]+){2,}""")


def problems(path: Path) -> Iterator[str]:
    """What breaks the rules in one notebook, in words."""
    notebook = documents.read(path)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    if not FILE.fullmatch(path.stem) and path.parent.name not in {"reports", "lab"}:
        yield "is not named like dr010-what-it-does or rb010-what-it-does"
    if not notebook.cells or not notebook.cells[0].source.startswith("# "):
        yield "does not begin with a heading"
    if "papermill" in notebook.metadata or "widgets" in notebook.metadata:
        yield "holds traces of a run in its metadata"
    if not code or not code[-1].source.startswith("assert "):
        yield "does not end with an assertion"
    yield from _parameter_problems(notebook)
    for number, cell in enumerate(notebook.cells):
        yield from (f"cell {number} {problem}" for problem in _cell_problems(cell))


def _parameter_problems(notebook: Any) -> Iterator[str]:
    try:
        checked(notebook, {})
    except InvalidInput as error:
        yield f"has wrong parameters: {error.message}"


def _cell_problems(cell: Any) -> Iterator[str]:
    if cell.cell_type == "code":
        if cell.outputs or cell.execution_count is not None:
            yield "holds outputs of a run"
        if len(cell.source.splitlines()) > MOST_LINES:
            yield f"has more than {MOST_LINES} lines: put the work into the core"
        if re.search(r"^\s*(def|class|async def) ", cell.source, re.MULTILINE):
            yield "defines a function or class: put it into the core"
        if ABSOLUTE.search(cell.source):
            yield "names an absolute path"
        if SECRET.search(cell.source):
            yield "speaks of a secret"
    if "raises-exception" in cell.metadata.get("tags", []):
        yield "allows an error"


def notebooks() -> list[Path]:
    """Every notebook of the repository."""
    return sorted(path for path in FOLDER.rglob("*.ipynb") if ".ipynb_checkpoints" not in path.parts)


def main() -> int:
    """Print every problem; gives the exit code."""
    found = [
        f"{path.relative_to(REPOSITORY)}: {problem}" for path in notebooks() for problem in problems(path)
    ]
    sys.stdout.write("".join(f"{line}\n" for line in found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
