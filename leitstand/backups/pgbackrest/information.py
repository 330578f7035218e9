"""What a repository has, as `pgbackrest info --output=json` tells it."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leitstand.backups.pgbackrest import program
from leitstand.errors import Unavailable
from leitstand.words import msg

ANNOTATION = "leitstand"
FULL = "full"
NO_STANZA, NO_BACKUP, STANZA_INCOMPLETE = 1, 2, 3


@dataclass(frozen=True)
class Listed:
    """One complete backup of a repository.

    Args:
        label: pgBackRest's name of it.
        backup_id: ours, as the annotation has it; empty where somebody else took it.
        prior: label that it is an increment of.
        bytes: of the database that it restores.
        faulty: pages of the source whose checksum was wrong were copied.
    """

    label: str
    backup_id: str
    type: str
    prior: str
    start_segment: str
    start_lsn: str
    stop_lsn: str
    bytes: int
    faulty: bool


def read(configuration: Path) -> list[Listed]:
    """The backups, oldest first; none where there is no repository yet.

    Raises:
        Unavailable: the repository can't be read.
    """
    try:
        (stanza,) = json.loads(program.run("info", configuration, "--output=json"))
    except program.Failed as failed:
        raise failed.as_error() from failed
    status = stanza["status"]
    if status["code"] not in (0, NO_STANZA, NO_BACKUP, STANZA_INCOMPLETE):
        told = stanza.get("repo", [{}])[0].get("status", {}).get("message") or status["message"]
        raise Unavailable(
            msg(
                "pgBackRest can't read its repository: {value}", value=" ".join(told.split())[: program.SHOWN]
            ),
            hint="See whether the object store answers, and that the key is the repository's.",
        )
    return [_listed(one) for one in stanza["backup"]]


def _listed(one: dict[str, Any]) -> Listed:
    return Listed(
        label=str(one["label"]),
        backup_id=str((one.get("annotation") or {}).get(ANNOTATION, "")),
        type=str(one["type"]),
        prior=str(one["prior"] or ""),
        start_segment=str(one["archive"]["start"]),
        start_lsn=str(one["lsn"]["start"]),
        stop_lsn=str(one["lsn"]["stop"]),
        bytes=int(one["info"]["size"]),
        faulty=bool(one["error"]),
    )
