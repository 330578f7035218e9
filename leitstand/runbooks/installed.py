"""Whether what runs is what was released: every file of the installation against the repository's commit.

Hashes are computed here, from the files themselves: git's index can be told to look away.
"""

import base64
import hashlib
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from leitstand.errors import PreconditionFailed
from leitstand.words import N_

SKIPPED = {".git", ".venv", ".venv.lock", "var", "__pycache__", "node_modules", ".ipynb_checkpoints"}
SKIPPED_CACHES = (".mypy_cache", ".pytest_cache", ".ruff_cache", ".hypothesis", ".import_linter_cache")
GIT_SECONDS = 60
SHA1_HEX = 40
LINK, MODULE = "120000", "160000"


@dataclass(frozen=True)
class Difference:
    """A file that is `modified`, `missing`, or `added` (in no commit)."""

    path: str
    how: str


def commit_of(repository: Path) -> str:
    """The commit that the installation says it is.

    Raises:
        PreconditionFailed: it is no git checkout, or git does not answer.
    """
    return _git(repository, "rev-parse", "--verify", "HEAD").decode().strip()


def differences(repository: Path, commit: str, *, skip: Path | None = None) -> list[Difference]:
    """Files that are not as the commit has them.

    Args:
        skip: a folder that holds data, where it is inside the repository.

    Raises:
        PreconditionFailed: git does not know the commit.
    """
    tree = _tree(repository, commit)
    found = [
        Difference(path, how)
        for path, (mode, digest) in tree.items()
        if mode != MODULE and (how := _compared(repository / path, mode, digest))
    ]
    found += [Difference(path, "added") for path in _files(repository, skip) if path not in tree]
    return sorted(found, key=lambda one: (one.how, one.path))


def _tree(repository: Path, commit: str) -> dict[str, tuple[str, str]]:
    listed = _git(repository, "ls-tree", "-r", "-z", "--full-tree", commit, "--")
    found = {}
    for entry in filter(None, listed.split(b"\0")):
        about, _, path = entry.partition(b"\t")
        mode, _, digest = about.decode().split()
        found[os.fsdecode(path)] = (mode, digest)
    return found


def _compared(path: Path, mode: str, digest: str) -> str:
    try:
        content = os.fsencode(path.readlink()) if mode == LINK else path.read_bytes()
    except OSError:
        return "missing"
    if (mode == LINK) != path.is_symlink():
        return "modified"
    kind = "sha1" if len(digest) == SHA1_HEX else "sha256"
    found = hashlib.new(kind, b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
    return "" if found == digest else "modified"


def _files(repository: Path, skip: Path | None) -> Iterator[str]:
    """Every file that is no cache, no package and no data."""
    for folder, folders, files in repository.walk():
        folders[:] = [
            name
            for name in folders
            if name not in SKIPPED and name not in SKIPPED_CACHES and folder / name != skip
        ]
        linked = [name for name in folders if (folder / name).is_symlink()]
        for name in [*files, *linked]:
            if name not in SKIPPED:
                yield str((folder / name).relative_to(repository))


def _git(repository: Path, *arguments: str) -> bytes:
    hint = N_("Compare with a checkout that was fetched on another machine.")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    # Nothing that a configuration or a hook in the suspected checkout could have run.
    options = ["-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null"]
    try:
        done = subprocess.run(
            ["git", *options, "-C", str(repository), *arguments],
            env=environment | {"GIT_OPTIONAL_LOCKS": "0", "GIT_NO_REPLACE_OBJECTS": "1"},
            capture_output=True,
            timeout=GIT_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise PreconditionFailed("The repository's commit can't be read by git here.", hint=hint) from error
    return done.stdout


def package_differences() -> list[Difference]:
    """Files of installed packages that are not as they were installed, by the hashes that each package recorded."""
    found = []
    for package in metadata.distributions():
        for file in package.files or []:
            if file.hash is not None and not str(file).endswith(".pyc"):
                path = Path(str(file.locate()))
                how = _recorded(path, file.hash.mode, file.hash.value)
                if how:
                    found.append(Difference(f"{package.metadata['Name']}: {file}", how))
    return sorted(found, key=lambda one: one.path)


def _recorded(path: Path, kind: str, value: str) -> str:
    try:
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, kind).digest()
    except (OSError, ValueError):
        return "missing"
    return "" if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == value else "modified"
