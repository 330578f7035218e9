"""Jobs by their names."""

import subprocess
import sys

import pytest

from leitstand.errors import NotFound
from leitstand.jobs import registry


def test_every_listed_module_registers_jobs() -> None:
    modules = {job.run.__module__ for job in registry.registered().values()}
    assert set(registry.MODULES) <= modules


def test_an_unknown_job_is_named_with_those_that_are_known() -> None:
    with pytest.raises(NotFound, match=r"no job 'no\.such'") as caught:
        registry.find("no.such")
    assert "operations.backup" in caught.value.hint


def test_one_name_belongs_to_one_module() -> None:
    with pytest.raises(ValueError, match="registered by"):
        registry.job("operations.backup")(lambda: None)


def test_enqueueing_needs_no_heavy_import() -> None:
    heavy = ("pandas", "procrastinate", "boto3", "papermill", "great_expectations", "prefect", "duckdb")
    program = f"import sys; from leitstand.jobs import queue, registry; registry.registered(); print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
