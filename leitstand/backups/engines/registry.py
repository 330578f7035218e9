"""Which engine takes backups now, and which one took a certain backup."""

from typing import Any

from leitstand.backups.engines.interface import PostgresEngine
from leitstand.errors import PreconditionFailed
from leitstand.settings import Settings
from leitstand.words import msg


def engines() -> dict[str, PostgresEngine]:
    """Every engine by its name in the setting `backup_engine`."""
    from leitstand.backups.engines.own_tools import OwnTools
    from leitstand.backups.engines.pgbackrest import PgBackRest

    return {"postgres-tools": OwnTools(), "pgbackrest": PgBackRest()}


def chosen(settings: Settings) -> PostgresEngine:
    """The engine that takes backups and archives the log."""
    return engines()[settings.backup_engine]


def engine_of(manifest: dict[str, Any]) -> PostgresEngine:
    """The engine that took a backup: after another was chosen, older backups are still restored by theirs.

    Raises:
        PreconditionFailed: none of this version did.
    """
    recorded = str(manifest["engine"])
    for engine in engines().values():
        if engine.recorded == recorded:
            return engine
    raise PreconditionFailed(
        msg(
            "Backup {id} was taken by {recorded!r}, which this version does not know.",
            id=manifest["id"],
            recorded=recorded,
        ),
        hint="Restore it with the version of Leitstand that took it.",
    )


def engine_of_archive(archive: str) -> PostgresEngine:
    """The engine whose archive has this name: `ENGINE:SYSTEM-IDENTIFIER`, without the first part our own tools'."""
    name = archive.rpartition(":")[0] or "postgres-tools"
    if engine := engines().get(name):
        return engine
    raise PreconditionFailed(
        msg(
            "The log of {archive!r} was archived by an engine that this version does not know.",
            archive=archive,
        ),
        hint="Have retention carried out by the version of Leitstand that archived it.",
    )
