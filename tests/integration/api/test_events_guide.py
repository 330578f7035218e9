"""The guide's examples are run as they stand, and answer what it says."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy.orm import Session

from leitstand.catalogue.companions import ensure_companion
from leitstand.db.models import Workspace
from leitstand.events import intake
from leitstand.settings import REPOSITORY
from tests.integration.api.conftest import Program
from tests.live import served

pytestmark = pytest.mark.slow

GUIDE = (REPOSITORY / "docs" / "guide" / "events.md").read_text()
EXAMPLE = re.compile(r"```sh\n(.*?)```.*?```(json|text)\n(.*?)```", re.DOTALL)


def agrees(said: Any, found: Any) -> bool:
    """Whether an answer holds everything that the guide shows of it."""
    if isinstance(said, dict):
        return all(agrees(value, found[name]) for name, value in said.items())
    if isinstance(said, list):
        return len(said) == len(found) and all(map(agrees, said, found))
    return bool(said == found)


@pytest.mark.skipif(not shutil.which("curl"), reason="needs curl")
def test_every_example_answers_what_the_guide_says(
    app: FastAPI, program: Callable[..., Program], session: Session, workspace: Workspace
) -> None:
    ensure_companion(session, workspace_id=workspace.id, key="shop")
    session.commit()
    examples = EXAMPLE.findall(GUIDE)
    assert len(examples) == GUIDE.count("```sh")
    with served(app) as address:
        variables = os.environ | {"LEITSTAND": address, "TOKEN": program("events:write").secret}
        for script, form, said in examples:
            argv = ["bash", "-euo", "pipefail", "-c", script]
            done = subprocess.run(argv, env=variables, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
            if form == "json":
                assert agrees(json.loads(said), json.loads(done.stdout)), (script, done.stdout)
            else:
                assert done.stdout == said


def test_the_guide_names_every_member_and_no_other() -> None:
    table = GUIDE.split("## The members of an event")[1].split("##")[0]
    assert set(re.findall(r"^\| `(\w+)`", table, re.MULTILINE)) == intake.MEMBERS
