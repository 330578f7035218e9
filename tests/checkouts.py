"""Copies of the repository as checkouts of their own, with a commit: releases to roll back, and installations to tamper with."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from leitstand.settings import REPOSITORY

IDENTITY = ["-c", "user.name=Test", "-c", "user.email=test@example.test", "-c", "commit.gpgsign=false"]


def git(folder: Path, *arguments: str) -> str:
    """Run git in a folder, without anybody's configuration."""
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    done = subprocess.run(
        ["git", "-C", str(folder), *IDENTITY, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def checkout(folder: Path) -> Path:
    """The files that are or will be tracked, as they are now, committed in `folder`, with this environment's packages."""
    for name in filter(
        None, git(REPOSITORY, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
    ):
        source, target = REPOSITORY / name, folder / name
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    git(folder, "init", "-q")
    commit_all(folder, "release")
    (folder / ".venv").symlink_to(Path(sys.prefix))
    return folder


def commit_all(folder: Path, message: str) -> str:
    """Commit everything; gives the commit."""
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", message)
    return git(folder, "rev-parse", "HEAD")


def run_leitstand(
    folder: Path, variables: dict[str, str], *arguments: str, timeout: float = 600
) -> "subprocess.CompletedProcess[str]":
    """Run the command of that checkout."""
    return subprocess.run(
        [sys.executable, "-P", "-m", "leitstand", *arguments],
        cwd=folder,
        env={**variables, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
