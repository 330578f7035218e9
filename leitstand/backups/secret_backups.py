"""The secrets of an environment as a list without values, and their backup: daily, and whenever one has changed."""

import os
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from leitstand.backups import keys, secret_files
from leitstand.backups.catalogue import newest_complete
from leitstand.backups.operations import run_backup
from leitstand.backups.secret_fingerprints import fingerprint_key, fingerprints
from leitstand.backups.work import Progress
from leitstand.db.engine import transaction
from leitstand.db.models import Backup
from leitstand.errors import Unavailable
from leitstand.settings import Settings
from leitstand.words import msg

KIND = "secrets"
NO_SETTING = "Not a setting of Leitstand; kept because it lies in the secrets folder."


@dataclass(frozen=True)
class Item:
    """One secret, without its value.

    Args:
        name: of the setting, or of the file.
        purpose: what it is for.
        place: the file that holds it, or "environment".
        changed_at: when that file was last written (ISO 8601); empty where it came by the environment.
        fingerprint: changes with the value and tells nothing of it.
        backed_up_at: when the newest backup that holds this very value was complete; empty where none does.
    """

    name: str
    purpose: str
    place: str
    changed_at: str
    fingerprint: str
    backed_up_at: str

    def to_dict(self) -> dict[str, str]:
        """JSON values."""
        return asdict(self)


def inventory(engine: Engine, settings: Settings) -> list[Item]:
    """Every secret of this environment, by name."""
    newest = newest_backup(engine)
    known: dict[str, str] = newest.manifest.get("fingerprints", {}) if newest else {}
    at = newest.finished_at.isoformat() if newest and newest.finished_at else ""
    current = current_fingerprints(settings)
    return [
        _item(settings, name, mark, at if known.get(name) == mark else "") for name, mark in current.items()
    ]


def _item(settings: Settings, name: str, mark: str, backed_up_at: str) -> Item:
    short = name.removeprefix(secret_files.PREFIX).removeprefix(secret_files.FOLDER)
    field = type(settings).model_fields.get(short)
    path, variable = secret_files.path_of(settings, name), f"LEITSTAND_{short.upper()}"
    here = path.is_file() and not os.environ.get(variable)
    changed = datetime.fromtimestamp(path.stat().st_mtime, UTC).isoformat(timespec="seconds") if here else ""
    purpose = (field.description if field else "") or NO_SETTING
    return Item(short, purpose, str(path) if here else "environment", changed, mark, backed_up_at)


def recipients(settings: Settings) -> list[dict[str, Any]]:
    """The public keys that backups are encrypted to, and which of them are kept elsewhere."""
    listed = keys.ensure_keys(settings)
    offline = keys.offline_recipients(settings, listed.recipients)
    waiting = (
        {str(identity.to_public()) for identity in keys.identities_in(listed.offline_key_here)}
        if listed.offline_key_here
        else set()
    )
    return [
        {"recipient": one, "offline": one in offline, "still_here": one in waiting}
        for one in listed.recipients
    ]


def current_fingerprints(settings: Settings) -> dict[str, str]:
    """Name -> fingerprint of every secret as it is now."""
    return fingerprints(fingerprint_key(settings), secret_files.gather(settings))


def newest_backup(engine: Engine) -> Backup | None:
    """The newest complete backup of the secrets."""
    with transaction(engine) as session:
        return newest_complete(session, KIND)


def changed_since(settings: Settings, backup: Backup | None) -> list[str]:
    """What is new, different, gone, or encrypted to other keys than a backup's; all of it where there is no backup."""
    current = current_fingerprints(settings)
    before: dict[str, str] = backup.manifest.get("fingerprints", {}) if backup else {}
    changed = sorted(name for name in {*current, *before} if current.get(name) != before.get(name))
    if backup and set(backup.manifest["recipients"]) != set(keys.ensure_keys(settings).recipients):
        changed.append(f"keys/{keys.RECIPIENTS}")
    return changed


def back_up_secrets(
    engine: Engine, settings: Settings, *, only_changed: bool = False, progress: Progress | None = None
) -> Backup | None:
    """Take a backup of the secrets into both places; None where `only_changed` and nothing has.

    A second place that failed before is tried again although nothing has changed.

    Raises:
        Unavailable: the backup is complete in the bucket, and the second place could not be written.
        LeitstandError: as `run_backup`.
    """
    newest = newest_backup(engine)
    if only_changed and newest and _in_two_places(newest) and not changed_since(settings, newest):
        return None
    backup = run_backup(engine, settings, KIND, progress=progress)
    if error := backup.manifest["copy"]["error"]:
        raise Unavailable(
            msg("The secrets are backed up in the bucket and not in the second place: {error}.", error=error),
            hint="Mend the folder or set LEITSTAND_SECRETS_COPY_DIR to another, then run `leitstand secrets backup`.",
        )
    return backup


def _in_two_places(backup: Backup) -> bool:
    path = backup.manifest.get("copy", {}).get("path", "")
    return bool(path) and Path(path).is_file()
