"""The suites as files: read and checked without Great Expectations."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leitstand.errors import InvalidInput

CHECKPOINT = "checkpoint.json"
SUITES = "suites"


@dataclass(frozen=True)
class Suite:
    """One suite: the table that it looks at, and its expectations as Great Expectations takes them."""

    name: str
    table: str
    expectations: list[dict[str, Any]]


@dataclass(frozen=True)
class Checkpoint:
    """The suites of one run."""

    name: str
    suites: list[Suite]

    @property
    def count(self) -> int:
        """How many checks there are."""
        return sum(len(suite.expectations) for suite in self.suites)


def load(folder: Path) -> Checkpoint:
    """The checkpoint of a folder, with its suites.

    Raises:
        InvalidInput: a file is missing or says something that makes no sense; the message names it.
    """
    document = _read(folder / CHECKPOINT)
    try:
        checkpoint = Checkpoint(
            document["name"], [_suite(folder / SUITES / f"{name}.json") for name in document["suites"]]
        )
    except (KeyError, TypeError) as error:
        raise InvalidInput(f"{folder / CHECKPOINT} must hold a name and a list of suites.") from error
    names = [expectation["meta"]["name"] for suite in checkpoint.suites for expectation in suite.expectations]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise InvalidInput(f"Checks of {folder} are named twice: {', '.join(repeated)}.")
    return checkpoint


def _suite(path: Path) -> Suite:
    document = _read(path)
    try:
        suite = Suite(document["name"], document["meta"]["table"], document["expectations"])
        whole = all(
            expectation["type"] and expectation["meta"]["name"] and expectation["meta"]["says"]
            for expectation in suite.expectations
        )
    except (KeyError, TypeError) as error:
        raise InvalidInput(
            f"{path} lacks {error}.", hint="data-checks/README.md says what a suite holds."
        ) from error
    if not whole or not suite.expectations:
        raise InvalidInput(f"{path} has no checks, or one without a type, a name or a sentence.")
    return suite


def _read(path: Path) -> dict[str, Any]:
    try:
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidInput(
            f"{path} can't be read.", hint="Set LEITSTAND_CHECKS_DIR to the folder of the data checks."
        ) from error
    except ValueError as error:
        raise InvalidInput(f"{path} is no JSON: {error}.") from error
    return document
