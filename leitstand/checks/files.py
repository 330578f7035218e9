"""The suites as files: read and checked without Great Expectations."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leitstand.errors import InvalidInput
from leitstand.words import msg

CHECKPOINT = "checkpoint.json"
SUITES = "suites"
UNCHECKED = "unchecked.json"
# What `chosen` takes beside the names of suites.
ALL, INGESTION = "all", "ingestion"


@dataclass(frozen=True)
class Suite:
    """One suite: the table that it looks at, and its expectations as Great Expectations takes them.

    `after_ingestion`: what events bring in can violate it, so it runs after they came in.
    """

    name: str
    table: str
    expectations: list[dict[str, Any]]
    after_ingestion: bool = False


@dataclass(frozen=True)
class Checkpoint:
    """The suites of one run."""

    name: str
    suites: list[Suite]

    @property
    def count(self) -> int:
        """How many checks there are."""
        return sum(len(suite.expectations) for suite in self.suites)

    def chosen(self, names: Sequence[str]) -> "Checkpoint":
        """The suites of these names; "all" and "ingestion" stand for several, and nothing for all.

        Raises:
            InvalidInput: there is no such suite.
        """
        if not names or ALL in names:
            return self
        unknown = sorted({*names} - {suite.name for suite in self.suites} - {INGESTION})
        if unknown:
            raise InvalidInput(
                msg("There is no suite {names}.", names=", ".join(unknown)),
                hint="`leitstand checks list` names them.",
            )
        wanted = [it for it in self.suites if it.name in names or (INGESTION in names and it.after_ingestion)]
        return Checkpoint(self.name if len(wanted) == len(self.suites) else "+".join(names), wanted)


@dataclass(frozen=True)
class Unchecked:
    """What has no suite and what is no reference, each with the reason: by table, and by "table.column"."""

    tables: dict[str, str]
    columns: dict[str, str]


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
        raise InvalidInput(
            msg("{folder} must hold a name and a list of suites.", folder=folder / CHECKPOINT)
        ) from error
    names = [expectation["meta"]["name"] for suite in checkpoint.suites for expectation in suite.expectations]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise InvalidInput(
            msg("Checks of {folder} are named twice: {names}.", folder=folder, names=", ".join(repeated))
        )
    return checkpoint


def unchecked(folder: Path) -> Unchecked:
    """What of the schema needs no suite, and why.

    Raises:
        InvalidInput: the file is missing or says something that makes no sense.
    """
    document = _read(folder / UNCHECKED)
    try:
        found = Unchecked(dict(document["tables"]), dict(document["columns"]))
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidInput(
            msg("{folder} must hold reasons by table and by column.", folder=folder / UNCHECKED)
        ) from error
    if not all(isinstance(why, str) and why for why in [*found.tables.values(), *found.columns.values()]):
        raise InvalidInput(msg("{folder} names something without a reason.", folder=folder / UNCHECKED))
    return found


def _suite(path: Path) -> Suite:
    document = _read(path)
    try:
        meta = document["meta"]
        after = bool(meta.get("after_ingestion", False))
        suite = Suite(document["name"], meta["table"], document["expectations"], after)
        whole = all(
            expectation["type"] and expectation["meta"]["name"] and expectation["meta"]["says"]
            for expectation in suite.expectations
        )
    except (KeyError, TypeError) as error:
        raise InvalidInput(
            msg("{path} lacks {error}.", path=path, error=error),
            hint="data-checks/README.md says what a suite holds.",
        ) from error
    if not whole or not suite.expectations:
        raise InvalidInput(
            msg("{path} has no checks, or one without a type, a name or a sentence.", path=path)
        )
    return suite


def _read(path: Path) -> dict[str, Any]:
    try:
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidInput(
            msg("{path} can't be read.", path=path),
            hint="Set LEITSTAND_CHECKS_DIR to the folder of the data checks.",
        ) from error
    except ValueError as error:
        raise InvalidInput(msg("{path} is no JSON: {error}.", path=path, error=error)) from error
    return document
