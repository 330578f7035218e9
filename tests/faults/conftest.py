"""The source fixture (a durable cluster that archives its log), and a small disk to fill."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pgbackrest import pgbackrest_rig
from tests.source import source

__all__ = ["pgbackrest_rig", "source"]

SMALL_BYTES = 96 * 1024 * 1024


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 96 MB; it takes root to mount one."""
    folder = tmp_path / "small-disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SMALL_BYTES},mode=0700", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("a small disk needs root and the right to mount one")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(path: Path) -> None:
    """Write until not one more byte fits."""
    with path.open("wb", buffering=0) as stream:
        try:
            while True:
                stream.write(b"x" * 65_536)
        except OSError:
            return
