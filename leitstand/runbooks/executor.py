"""Run a notebook in processes of its own, with everything they write in one folder, and judge whether it really ran."""

import json
import os
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, Queue
from typing import IO, Any

from pydantic import SecretStr

from leitstand.backups import keys
from leitstand.backups.work import Progress
from leitstand.errors import PreconditionFailed
from leitstand.runbooks import documents
from leitstand.runbooks.library import Notebook
from leitstand.runbooks.parameters import checked
from leitstand.settings import REPOSITORY, Settings

KERNEL = "leitstand"
CELL_SECONDS = 4 * 3600
TOLD_EVERY = 5.0
ENDING_SECONDS = 10
SAID_SHOWN = 600
ALIASES = {"database_url_override": "LEITSTAND_DATABASE_URL"}


@dataclass(frozen=True)
class Executed:
    """An executed notebook.

    Args:
        notebook: with its outputs; a failed one has Papermill's error banner.
        error: empty when every cell ran to its end.
    """

    notebook: Any
    error: str


def execute(
    settings: Settings,
    notebook: Notebook,
    parameters: dict[str, object],
    folder: Path,
    *,
    progress: Progress | None = None,
    cell_seconds: int = CELL_SECONDS,
) -> Executed:
    """Run a notebook with checked parameters; never raises for what happens inside it.

    Args:
        folder: where the executed copy, the kernel's files and the logs go.
        cell_seconds: the longest that one cell may take.

    Raises:
        InvalidInput: unknown or wrong parameters; nothing was run.
    """
    source = documents.read(notebook.path)
    values = checked(source, parameters)
    output = folder / f"{notebook.file_name}.ipynb"
    request = {
        "input": str(notebook.path),
        "output": str(output),
        "parameters": values,
        "kernel": KERNEL,
        "cell_seconds": cell_seconds,
        "folder": str(folder),
    }
    error = _run(
        settings, request, folder, _titles(source, injected=bool(values)), progress or (lambda _: None)
    )
    if not output.exists():
        return Executed(source, error or "Papermill wrote nothing.")
    executed = documents.read(output)
    return Executed(executed, error or _not_run(executed))


def _run(
    settings: Settings, request: dict[str, Any], folder: Path, titles: list[str], progress: Progress
) -> str:
    argv = [sys.executable, "-m", "leitstand.runbooks.execute"]
    with (folder / "execute.log").open("w+") as log:
        process = subprocess.Popen(
            argv,
            env=_environment(settings, folder),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            cwd=folder,
        )
        try:
            error = _follow(process, json.dumps(request), titles, progress)
        finally:
            _end(process)
        log.seek(0)
        return (
            error
            if error is not None
            else f"The notebook's process ended with {process.returncode}: {log.read()[-SAID_SHOWN:].strip()}"
        )


def _follow(
    process: "subprocess.Popen[str]", request: str, titles: list[str], progress: Progress
) -> str | None:
    """Tell which step is running; gives what Papermill said at its end, None when it never came to that."""
    if process.stdin is None or process.stdout is None:
        raise PreconditionFailed("The notebook's process has no input or output.")
    process.stdin.write(request + "\n")
    process.stdin.flush()
    lines: Queue[str] = Queue()
    threading.Thread(target=_read_lines, args=(process.stdout, lines), daemon=True).start()
    began, current = time.monotonic(), "starting the kernel"
    progress(current)
    while True:
        try:
            line = lines.get(timeout=TOLD_EVERY)
        except Empty:
            progress(f"{current}: still at it, {time.monotonic() - began:.0f} s")
            continue
        if not line:
            return None
        told = json.loads(line) if line.startswith("{") else {}
        if told.get("done"):
            return str(told["error"])
        title = titles[told.get("cell", 0) % len(titles)]
        if title and title != current:
            current, began = title, time.monotonic()
            progress(current)


def _read_lines(stream: IO[str], lines: "Queue[str]") -> None:
    """Every line, then an empty one; a stream that was closed on purpose ends as well."""
    with suppress(ValueError):
        for line in stream:
            lines.put(line)
    lines.put("")


def _end(process: "subprocess.Popen[str]") -> None:
    """Its input ends, and it with it; one that does not is killed."""
    for stream in (process.stdin, process.stdout):
        if stream:
            stream.close()
    try:
        process.wait(ENDING_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _titles(notebook: Any, *, injected: bool) -> list[str]:
    """The heading under which each cell stands; Papermill puts one more cell behind the parameters."""
    titles, current = [], ""
    for cell in notebook.cells:
        headings = [line.lstrip("# ") for line in cell.source.splitlines() if line.startswith("#")]
        if cell.cell_type == "markdown" and headings:
            current = headings[0]
        titles.append(current)
        if injected and "parameters" in cell.metadata.get("tags", []):
            titles.append(current)
    return titles or [""]


def _not_run(notebook: Any) -> str:
    """A cell that did not run: `sys.exit(0)` ends a notebook without an error."""
    for number, cell in enumerate(notebook.cells):
        if cell.cell_type != "code" or not cell.source.strip():
            continue
        status = cell.metadata.get("papermill", {}).get("status")
        if cell.execution_count is None or status != "completed":
            return f"Cell {number} did not run to its end ({status or 'never started'})."
        if any(output.output_type == "error" for output in cell.outputs):
            return f"Cell {number} ended with an error."
    return ""


def _environment(settings: Settings, folder: Path) -> dict[str, str]:
    """What the notebook's processes see: these very settings, and folders of their own."""
    jupyter = folder / "jupyter"
    _write_kernel(jupyter)
    own = {
        "PYTHONPATH": str(REPOSITORY),
        "JUPYTER_PATH": str(jupyter),
        "JUPYTER_DATA_DIR": str(jupyter / "data"),
        "JUPYTER_CONFIG_DIR": str(jupyter / "config"),
        "JUPYTER_RUNTIME_DIR": str(jupyter / "runtime"),
        "IPYTHONDIR": str(jupyter / "ipython"),
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        "DO_NOT_TRACK": "1",
    }
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("LEITSTAND_")}
    return {**inherited, **setting_variables(settings), **own}


def _write_kernel(jupyter: Path) -> None:
    """A kernel that is this interpreter, so that none has to be installed."""
    folder = jupyter / "kernels" / KERNEL
    folder.mkdir(parents=True, mode=0o700)
    argv = [
        sys.executable,
        "-m",
        "ipykernel_launcher",
        "-f",
        "{connection_file}",
        "--HistoryManager.enabled=False",
    ]
    keys.write_private(
        folder / "kernel.json", json.dumps({"argv": argv, "display_name": "Leitstand", "language": "python"})
    )


def setting_variables(settings: Settings) -> dict[str, str]:
    """The settings as environment variables; a secret only where its file does not hold it already."""
    variables = {}
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        text = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
        file = settings.secrets_dir / f"leitstand_{name}"
        if isinstance(value, SecretStr) and file.is_file() and file.read_text().strip() == text:
            continue
        variables[ALIASES.get(name, f"LEITSTAND_{name.upper()}")] = text
    return variables
