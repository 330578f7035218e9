"""A small environment to rotate: PostgreSQL and the object store for real, everything secret in files.

Without a supervisor: nothing else runs, so nothing has to be started again. Fixture `rotating` (module).
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from leitstand.db import migrate
from leitstand.db.engine import make_engine
from leitstand.db.models import Workspace
from leitstand.embedded import processes, programs
from leitstand.embedded.credentials import ensure_secrets
from leitstand.embedded.environment import Environment
from leitstand.services import OBJECTS
from leitstand.settings import REPOSITORY, Settings
from leitstand.storage.objects import ObjectStorage
from tests.services import free_base_port


@dataclass(frozen=True)
class Rotating:
    """The environment, and how commands reach it."""

    environment: Environment

    @property
    def settings(self) -> Settings:
        """As the files are now."""
        return programs.settings_of(self.environment)

    def engine(self) -> Engine:
        """With the password of the files."""
        return make_engine(self.settings)

    def variables(self) -> dict[str, str]:
        """The environment of a process that belongs here and nowhere else."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith("LEITSTAND_")}
        return {**clean, **self.environment.variables()}

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run Python with arguments in this environment."""
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=REPOSITORY,
            env=self.variables(),
            capture_output=True,
            text=True,
            check=False,
        )

    def secrets(self) -> dict[str, str]:
        """Every secret file, by name."""
        return {path.name: path.read_text() for path in self.environment.secrets_dir.iterdir()}


@pytest.fixture(scope="module")
def rotating(monkeypatch_module: pytest.MonkeyPatch) -> Iterator[Rotating]:
    """Started, migrated, with one workspace."""
    folder = Path(tempfile.mkdtemp(prefix="leitstand-rotating-"))
    environment = Environment(folder, free_base_port())
    ensure_secrets(environment)
    environment.remember()
    cluster, store = programs.cluster(environment), programs.store(environment)
    cluster.create()
    process = None
    try:
        process = store.start()
        processes.record(environment.pids_dir, OBJECTS.name, process.pid)
        cluster.start()
        cluster.prepare("leitstand")
        made = Rotating(environment)
        ObjectStorage(made.settings).ensure_buckets()
        engine = made.engine()
        migrate.upgrade(engine)
        with Session(engine) as session, session.begin():
            session.add(Workspace(slug="first", name="First"))
        engine.dispose()
        yield made
    finally:
        cluster.stop("immediate")
        if process is not None:
            process.kill()
            process.wait()
        store.remove_sockets()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def monkeypatch_module() -> Iterator[pytest.MonkeyPatch]:
    """Settings of other tests' environments go before the files: none of them is left here."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("LEITSTAND_")]:
            patch.delenv(name)
        yield patch
