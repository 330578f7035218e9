"""Run a notebook in processes of its own, with everything they write in one folder, and judge whether it really ran."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leitstand.backups.work import Progress
from leitstand.runbooks import documents
from leitstand.runbooks.following import Following, Limits, Reached
from leitstand.runbooks.kernels import KERNEL, notebook_environment
from leitstand.runbooks.library import Notebook
from leitstand.runbooks.parameters import checked
from leitstand.settings import Settings

SAID_SHOWN = 600


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
    on_cell: Callable[[Reached], None] | None = None,
    cell_seconds: int = 0,
) -> Executed:
    """Run a notebook with checked parameters; never raises for what happens inside it.

    Args:
        folder: where the executed copy, the kernel's files and the logs go.
        on_cell: told at the beginning of each code cell.
        cell_seconds: the longest that one cell may take; 0: as the setting says.

    Raises:
        InvalidInput: unknown or wrong parameters; nothing was run.
    """
    source = documents.read(notebook.path)
    values = checked(source, parameters)
    limits = Limits(cell_seconds or settings.notebook_cell_seconds, settings.notebook_run_seconds)
    output = folder / f"{notebook.file_name}.ipynb"
    request = {
        "input": str(notebook.path),
        "output": str(output),
        "parameters": values,
        "kernel": KERNEL,
        "cell_seconds": limits.cell,
        "folder": str(folder),
    }
    error = _run(
        settings,
        request,
        folder,
        _titles(source, injected=bool(values)),
        limits,
        progress=progress or (lambda _: None),
        on_cell=on_cell or (lambda _: None),
    )
    if not output.exists():
        return Executed(source, error or "Papermill wrote nothing.")
    executed = documents.read(output)
    return Executed(executed, error or _not_run(executed))


def _run(
    settings: Settings,
    request: dict[str, Any],
    folder: Path,
    titles: list[str],
    limits: Limits,
    *,
    progress: Progress,
    on_cell: Callable[[Reached], None],
) -> str:
    argv = [sys.executable, "-m", "leitstand.runbooks.execute"]
    with (folder / "execute.log").open("w+") as log:
        process = subprocess.Popen(
            argv,
            env=notebook_environment(settings, folder),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            cwd=folder,
        )
        following = Following(process, titles, limits, progress=progress, on_cell=on_cell)
        try:
            error = following.follow(json.dumps(request))
        finally:
            following.end()
        log.seek(0)
        return (
            error
            if error is not None
            else f"The notebook's process ended with {process.returncode}: {log.read()[-SAID_SHOWN:].strip()}"
        )


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
