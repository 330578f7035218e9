"""Every drill, runbook and report runs by itself with its defaults, as nbval runs it, in a real environment."""

import subprocess
import sys

import pytest

from leitstand.backups.catalogue import list_backups, list_drills
from leitstand.db.engine import transaction
from leitstand.runbooks import documents
from leitstand.settings import REPOSITORY
from tests.notebooks.lint import notebooks
from tests.source import Source

FOLDERS = ("restore-drills", "runbooks", "reports", "lab")


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_defaults_are_a_sandbox_that_nbval_runs(source: Source) -> None:
    folders = [str(source.settings.notebooks_dir / folder) for folder in FOLDERS]
    argv = [
        sys.executable,
        "-m",
        "pytest",
        "--nbval-lax",
        "--nbval-cell-timeout=600",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:xdist",
        *folders,
    ]
    done = subprocess.run(
        argv, cwd=REPOSITORY, env=source.environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    cells = [
        cell
        for path in notebooks()
        for cell in documents.read(path).cells
        if cell.cell_type == "code" and path.parent.name in FOLDERS
    ]
    assert f"{len(cells)} passed" in done.stdout, done.stdout
    with transaction(source.engine) as session:
        assert list_drills(session) == [], "a sandbox leaves no record"
        assert {backup.verified_at for backup in list_backups(session)} == {None}, "and proves nothing"
    assert list((source.settings.data_dir / "scratch").iterdir()) == []
