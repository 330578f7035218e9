"""Runbooks run as an operator runs them: a dry run, then the very command that it ends with."""

import shlex
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

import pytest

from leitstand.runbooks.confirming import Confirmed
from leitstand.runbooks.drills import DrillResult, run_runbook
from leitstand.runbooks.taking_up import TakenUp
from leitstand.storage.objects import ObjectStorage
from tests.source import Source

OPERATOR = "Olga Operator"


def dry_run(source: Source, name: str, **parameters: object) -> DrillResult:
    """Run it with these parameters; it has to come to its end."""
    result = run_runbook(source.engine, source.settings, name, parameters)
    assert result.ok, result.error
    assert result.figures["for_real"] is False
    return result


def real_run(source: Source, dry: DrillResult, *, typed: str = "", **changed: object) -> DrillResult:
    """What the dry run said to do, read from its own words.

    Args:
        typed: name of the target; empty: as the dry run says.
        changed: parameters that are other than it said.
    """
    command, _, target = str(dry.figures["real_run"]).partition("; then type ")
    given = parameters_of(command) | changed
    assert target == dry.figures["plan"]["target"]
    return run_runbook(source.engine, source.settings, dry.name, given, confirmed=typed or target)


def parameters_of(command: str) -> dict[str, object]:
    """The parameters that a command names; who decides is filled in."""
    words = shlex.split(command)
    pairs = [words[number + 1].split("=", 1) for number, word in enumerate(words) if word == "-p"]
    return {name: OPERATOR if value == "NAME" else value for name, value in pairs}


def page(source: Source, result: DrillResult) -> str:
    """The executed notebook as the operator reads it, in the store or waiting on this machine."""
    place = urlsplit(result.html)
    if not place.netloc:
        return Path(result.html).read_text()
    return ObjectStorage(source.settings).get_bytes(place.netloc, place.path.lstrip("/")).decode()


def verdicts(result: DrillResult) -> dict[str, Any]:
    """Verdict of each check by its name."""
    return {check["name"]: check["verdict"] for check in result.checks}


def taken_up[R: Confirmed](
    source: Source,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    module: ModuleType,
    begin: Callable[..., R],
    **given: Any,
) -> R:
    """A runbook begun in this process, to try its steps one by one.

    Args:
        module: where `begin` finds `take_up`.
    """
    work = TakenUp(source.settings, source.engine, folder, False, ExitStack())
    monkeypatch.setattr(module, "take_up", lambda _: work)
    return begin(**given)
