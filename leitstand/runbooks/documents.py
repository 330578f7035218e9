"""Reading and writing notebooks; nbformat has no types of its own."""

from pathlib import Path
from typing import Any

VERSION = 4


def read(path: Path) -> Any:
    """A notebook from a file."""
    return loads(path.read_text())


def loads(text: str) -> Any:
    """A notebook from its JSON."""
    import nbformat

    return nbformat.reads(text, as_version=VERSION)  # type: ignore[no-untyped-call]


def dumps(notebook: Any) -> str:
    """A notebook as JSON."""
    import nbformat

    text: str = nbformat.writes(notebook)  # type: ignore[no-untyped-call]
    return text
