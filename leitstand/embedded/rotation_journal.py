"""New secrets that are being taken into use, kept until that is done: who is killed in between leaves them here.

A journal holds the new content of files, so a rotation only ever goes forward: the next run, or the next start,
takes up the very values that are written here.
"""

import json
from pathlib import Path

from leitstand.embedded.environment import Environment, write_private

FOLDER = "rotation"
Values = dict[str, str]


def write(environment: Environment, name: str, values: Values) -> None:
    """Keep the new content of files (path within the data folder -> content) before anything is changed."""
    path = _path(environment, name)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_private(path, json.dumps(values))


def pending(environment: Environment) -> dict[str, Values]:
    """What was begun and not finished, by name."""
    folder = environment.data_dir / FOLDER
    return {path.stem: json.loads(path.read_text()) for path in sorted(folder.glob("[a-z]*.json"))}


def adopt(environment: Environment, values: Values) -> None:
    """Write the files, in order, each complete or not at all; those that are so already stay as they are."""
    for name, content in values.items():
        path = environment.data_dir / name
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not path.exists() or path.read_text() != content:
            write_private(path, content)


def drop(environment: Environment, name: str) -> None:
    """Forget one: its values are in use and the old ones are not."""
    _path(environment, name).unlink(missing_ok=True)


def _path(environment: Environment, name: str) -> Path:
    return environment.data_dir / FOLDER / f"{name}.json"
