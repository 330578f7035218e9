"""Notebooks run in processes of their own, and only what ran to its end counts."""

import os
import re
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from pydantic import SecretStr

from leitstand.errors import InvalidInput
from leitstand.runbooks import documents
from leitstand.runbooks.executor import Executed, execute
from leitstand.runbooks.kernels import setting_variables
from leitstand.runbooks.library import Notebook
from leitstand.settings import Settings

pytestmark = pytest.mark.slow


def written(folder: Path, *sources: str) -> Notebook:
    cells = [new_code_cell('greeting = "hello"', metadata={"tags": ["parameters"]})]  # type: ignore[no-untyped-call]
    for number, source in enumerate(sources):
        cells += [new_markdown_cell(f"## Step {number}"), new_code_cell(source)]  # type: ignore[no-untyped-call]
    path = folder / "rb900-test.ipynb"
    path.write_text(documents.dumps(new_notebook(cells=cells)))  # type: ignore[no-untyped-call]
    return Notebook("rb900", "test", "Test", path)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data", bucket_media="this-very-bucket", backup_recipients="")


def run(
    settings: Settings,
    tmp_path: Path,
    *sources: str,
    cell_seconds: int = 60,
    told: list[str] | None = None,
    **parameters: object,
) -> Executed:
    folder = tmp_path / "run"
    folder.mkdir()
    progress = told.append if told is not None else None
    return execute(
        settings,
        written(tmp_path, *sources),
        parameters,
        folder,
        progress=progress,
        cell_seconds=cell_seconds,
    )


def test_every_cell_runs_with_these_settings_and_parameters(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEITSTAND_BUCKET_MEDIA", "another-bucket")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    told: list[str] = []
    sources = (
        "print(greeting)",
        "from leitstand.settings import get_settings\nprint(get_settings().bucket_media)",
    )
    executed = run(settings, tmp_path, *sources, told=told, greeting="hallo")
    assert executed.error == ""
    printed = [output.text for cell in executed.notebook.cells for output in cell.get("outputs", [])]
    assert printed == ["hallo\n", "this-very-bucket\n"]
    steps = [line for line in told if "still at it" not in line]
    assert steps == ["starting the kernel", "Step 0", "Step 1"]
    assert not (tmp_path / "home").exists()


@pytest.mark.fault(28)
def test_an_unknown_parameter_runs_nothing(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="'greting'"):
        run(settings, tmp_path, "open('ran', 'w')", greting="x")
    assert list((tmp_path / "run").iterdir()) == []


@pytest.mark.fault(26, 27)
@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("raise ValueError('it broke')", "ValueError: it broke"),
        pytest.param("import sys; sys.exit(0)", "did not run|Dead|SystemExit|ended", marks=pytest.mark.long),
        ("import os; os._exit(0)", "Dead|died"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "Dead|died"),
        pytest.param("import time; time.sleep(60)", "[Tt]imeout", marks=pytest.mark.long),
    ],
)
def test_what_did_not_run_to_its_end_is_no_success(
    settings: Settings, tmp_path: Path, source: str, says: str
) -> None:
    executed = run(settings, tmp_path, source, "print('the end')", cell_seconds=5)
    assert executed.error != ""
    assert re.search(says, executed.error), executed.error
    assert executed.notebook.cells


def test_a_tag_that_allows_an_error_does_not_allow_it_here(settings: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    notebook = written(tmp_path, "raise ValueError('tolerated')", "print('the end')")
    content = documents.read(notebook.path)
    content.cells[2].metadata["tags"] = ["raises-exception"]
    notebook.path.write_text(documents.dumps(content))
    assert "error" in execute(settings, notebook, {}, folder).error.lower()


def test_the_kernel_goes_with_the_process_that_asked(settings: Settings, tmp_path: Path) -> None:
    """Killing Papermill's process leaves no kernel behind, and the failure is told."""
    result: list[Executed] = []
    thread = threading.Thread(
        target=lambda: result.append(run(settings, tmp_path, "import time; time.sleep(100)"))
    )
    thread.start()
    kernel = _wait_for(
        lambda: [process for process in _children() if "ipykernel_launcher" in process.cmdline()]
    )
    papermill = [process for process in _children() if "leitstand.runbooks.execute" in process.cmdline()]
    os.kill(papermill[0].pid, signal.SIGKILL)
    thread.join(60)
    assert "ended with -9" in result[0].error
    assert psutil.wait_procs(kernel, timeout=20)[1] == []


def _children() -> list[psutil.Process]:
    return psutil.Process().children(recursive=True)


def _wait_for(find: Callable[[], list[psutil.Process]]) -> list[psutil.Process]:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if found := find():
            return found
        time.sleep(0.2)
    raise AssertionError("nothing came up")


def test_a_secret_that_a_file_holds_does_not_travel_in_the_environment(tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "leitstand_s3_secret_key").write_text("in-a-file\n")
    settings = Settings(
        data_dir=tmp_path, s3_secret_key=SecretStr("in-a-file"), session_secret=SecretStr("nowhere-else")
    )
    variables = setting_variables(settings)
    assert "LEITSTAND_S3_SECRET_KEY" not in variables
    assert variables["LEITSTAND_SESSION_SECRET"] == "nowhere-else"
