"""The commands that PostgreSQL itself calls, and the private folder with the little that each may know.

A server calls its archive and restore commands with whatever environment it was started with, perhaps as another
user. So each gets a folder of its own with the secrets that it needs and no others: the one that archives can't
open what it stored, and neither knows the database's password.
"""

import os
import shlex
import sys
from pathlib import Path

from leitstand.backups import keys
from leitstand.backups.fetch_wal import BROKEN, MISSING
from leitstand.db.cluster import give_away
from leitstand.settings import Settings

SOURCE = Path(__file__).resolve().parent.parent.parent


def archive_command(settings: Settings) -> str:
    """PostgreSQL's `archive_command` for this environment; writes the folder it reads (`<data_dir>/archive`).

    Call it at every start of the server, so that changed credentials are taken up. It needs `archive_mode = on`
    and, for a recovery point of at most two minutes, `archive_timeout = 60`.
    """
    folder = settings.data_dir / "archive"
    _write_access(settings, folder, keys.ensure_keys(settings).recipients)
    give_folder_away(folder)
    return _command(folder, "leitstand.backups.archive", "%p", "%f")


def restore_command(settings: Settings, folder: Path) -> str:
    """PostgreSQL's `restore_command`; writes the folder it reads, which holds the keys: remove it after recovery."""
    _write_access(settings, folder, ())
    own = folder / "keys"
    own.mkdir(mode=0o700, exist_ok=True)
    for identity in keys.keys_dir(settings).glob("*.agekey"):
        keys.write_private(own / identity.name, identity.read_text())
    give_folder_away(folder)
    command = _command(folder, "leitstand.backups.fetch_wal", "%f", "%p")
    # Whatever else ends it, a broken installation for one, must not look like the end of the log.
    return f"{command}; case $? in 0) ;; {MISSING}) exit 1 ;; *) exit {BROKEN} ;; esac"


def give_folder_away(folder: Path) -> None:
    """To the user that runs the server; one by one, because files are replaced at every call."""
    for path in [*folder.rglob("*"), folder]:
        give_away(path)


def _write_access(settings: Settings, folder: Path, recipients: tuple[str, ...]) -> None:
    secrets = folder / "secrets"
    secrets.mkdir(parents=True, mode=0o700, exist_ok=True)
    folder.chmod(0o700)
    access = {
        "s3_endpoint": settings.s3_url,
        "s3_region": settings.s3_region,
        "s3_ca_file": settings.s3_ca_file,
        "s3_access_key": settings.s3_access_key.get_secret_value(),
        "s3_secret_key": settings.s3_secret_key.get_secret_value(),
        "bucket_backups": settings.bucket_backups,
        "backup_recipients": " ".join(recipients),
    }
    for name, value in access.items():
        keys.write_private(secrets / f"leitstand_{name}", value)


def _command(folder: Path, module: str, *arguments: str) -> str:
    """A shell command with an environment of its own; `-P` keeps the server's folder off Python's path."""
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "PYTHONPATH": str(SOURCE),
        "LEITSTAND_DATA_DIR": str(folder.resolve()),
    }
    words = [
        "env",
        "-i",
        *(f"{name}={value}" for name, value in environment.items()),
        sys.executable,
        "-P",
        "-m",
        module,
    ]
    quoted = " ".join(shlex.quote(word) for word in words).replace("%", "%%")
    return " ".join([quoted, *(f'"{argument}"' for argument in arguments)])
