"""What is proposed to go from a full disk, as far as backups are at work."""

import os
import time
from pathlib import Path

import pytest

from leitstand.backups.tidying import work_folder
from leitstand.runbooks import space
from leitstand.settings import Settings

EARLIER = time.time() - 3600


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Folders of two backups in which nothing was written for an hour."""
    settings = Settings(data_dir=tmp_path)
    for kind in ("postgres", "objects"):
        folder = work_folder(settings) / f"{kind}-0190"
        folder.mkdir(parents=True)
        os.utime(folder, (EARLIER, EARLIER))
    return settings


@pytest.mark.parametrize(
    ("at_work", "expected"),
    [
        ([], {"postgres-0190": True, "objects-0190": True}),
        (["postgres"], {"objects-0190": True}),
        (None, {"postgres-0190": False, "objects-0190": False}),
    ],
)
def test_the_folder_of_a_backup_that_runs_is_never_proposed(
    settings: Settings, at_work: list[str] | None, expected: dict[str, bool]
) -> None:
    found = space.candidates(settings, settings.data_dir / "own", at_work)
    assert {Path(one.path).name: one.proposed for one in found} == expected
