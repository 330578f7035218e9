"""What containers do once, before others start: the database and its archive."""

import shutil
from collections.abc import Callable
from pathlib import Path

from leitstand.errors import PreconditionFailed
from leitstand.settings import POSTGRES_PORT, Settings

DATABASES = ("leitstand", "prefect")
ARCHIVE_FILE = "archive_command"


def prepare(settings: Settings) -> None:
    """Roles, databases, extensions, schema and buckets; what is there stays.

    Raises:
        Conflict: another migration, or a dump, is running.
        Unavailable: somebody holds a lock that a migration needs.
    """
    from leitstand.db import migrate, row_security
    from leitstand.db.cluster import Cluster
    from leitstand.db.engine import make_engine
    from leitstand.storage.objects import ObjectStorage

    password = settings.database_password.get_secret_value()
    server = Cluster(Path(), POSTGRES_PORT, password, settings.database_host)
    server.prepare(*DATABASES)
    engine = make_engine(settings)
    try:
        if migrate.knows(migrate.current(engine)):
            migrate.upgrade(engine)
        # Roles are the server's: what was migrated where the role was missing gets its rights here.
        with engine.begin() as connection:
            row_security.build(connection)
    finally:
        engine.dispose()
    ObjectStorage(settings).ensure_buckets()


def write_archive_command(settings: Settings) -> None:
    """Write the configuration with which PostgreSQL archives its log, and the command, into a folder that both see.

    PostgreSQL's image has no Python: it reads the command at its start.
    """
    from leitstand.backups.engines.registry import chosen

    command = chosen(settings).archive_command(settings)
    folder = settings.data_dir / "pgbackrest"
    folder.mkdir(parents=True, exist_ok=True)
    if shutil.which("pgbackrest") is None:
        raise PreconditionFailed("pgBackRest is not in this image.", hint="Build it by deploy/Dockerfile.")
    (folder / ARCHIVE_FILE).write_text(command)


TASKS: dict[str, Callable[[Settings], None]] = {"migrate": prepare, "archive": write_archive_command}
