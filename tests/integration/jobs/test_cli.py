"""leitstand worker."""

import json
import os
import sys

import pytest
from click.testing import CliRunner
from sqlalchemy import text
from sqlalchemy.orm import Session

from leitstand.cli.worker import group
from leitstand.errors import Conflict
from leitstand.jobs.queue import enqueue
from tests.integration.jobs import work  # noqa: F401 - registers the jobs


def test_jobs_are_listed_and_a_failed_one_is_put_back(session: Session) -> None:
    number = enqueue(session, "test.note", path="x")
    session.execute(text("UPDATE procrastinate_jobs SET status = 'failed'"))
    session.commit()
    document = json.loads(CliRunner().invoke(group, ["jobs", "--json", "--status", "failed"]).stdout)
    assert [job["id"] for job in document["jobs"]] == [number]
    assert document["queue"]["failed"] == 1
    assert "test.note" in CliRunner().invoke(group, ["jobs"]).stdout
    assert CliRunner().invoke(group, ["retry", str(number)]).exit_code == 0
    assert isinstance(CliRunner().invoke(group, ["retry", str(number)]).exception, Conflict)


def test_run_becomes_the_worker_process(monkeypatch: pytest.MonkeyPatch) -> None:
    became: list[object] = []
    monkeypatch.setattr(
        os,
        "execve",
        lambda program, argv, environment: became.append((program, argv, environment["PYTHONPATH"] != "")),
    )
    CliRunner().invoke(group, ["run"])
    assert became == [(sys.executable, [sys.executable, "-m", "serving.worker"], True)]
