"""A small environment under its supervisor: PostgreSQL with its archive, and the object store. Fixture `supervised` (module)."""

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from leitstand.db import migrate
from leitstand.db.models import Workspace
from leitstand.embedded import programs
from leitstand.embedded.credentials import ensure_secrets
from leitstand.embedded.environment import Environment
from leitstand.embedded.progress import Terminal
from leitstand.embedded.restarting import wait_ready
from leitstand.embedded.stop import stop_all
from leitstand.embedded.supervisor import Supervisor
from leitstand.services import OBJECTS, POSTGRES
from leitstand.storage.objects import ObjectStorage
from tests.rotating import Rotating, monkeypatch_module
from tests.services import free_base_port

__all__ = ["Supervised", "monkeypatch_module", "supervised"]
STARTED = (OBJECTS.name, POSTGRES.name)


@dataclass(frozen=True)
class Supervised(Rotating):
    """The environment, its services under a supervisor."""

    @property
    def supervisor(self) -> Supervisor:
        return Supervisor(self.environment)

    def slugs(self) -> set[str]:
        """The workspaces that there are."""
        engine = self.engine()
        with engine.connect() as connection:
            found = set(connection.scalars(text("SELECT slug FROM workspace")))
        engine.dispose()
        return found

    def add(self, *slugs: str) -> None:
        """Add workspaces."""
        engine = self.engine()
        with Session(engine) as session, session.begin():
            session.add_all(Workspace(slug=slug, name=slug) for slug in slugs)
        engine.dispose()

    def execute(self, statement: str) -> None:
        """Run one statement."""
        engine = self.engine()
        with engine.begin() as connection:
            connection.execute(text(statement))
        engine.dispose()


@pytest.fixture(scope="module")
def supervised(monkeypatch_module: pytest.MonkeyPatch) -> Iterator[Supervised]:
    """Started and migrated."""
    folder = Path(tempfile.mkdtemp(prefix="leitstand-supervised-"))
    environment = Environment(folder, free_base_port())
    ensure_secrets(environment)
    environment.remember()
    made = Supervised(environment)
    programs.cluster(environment).create()
    programs.store(environment).create()
    try:
        made.supervisor.start()
        made.supervisor.launch(*STARTED)
        wait_ready(environment, STARTED)
        programs.cluster(environment).prepare("leitstand")
        engine = made.engine()
        migrate.upgrade(engine)
        engine.dispose()
        ObjectStorage(made.settings).ensure_buckets()
        yield made
    finally:
        stop_all(environment, Terminal())
        shutil.rmtree(folder, ignore_errors=True)
