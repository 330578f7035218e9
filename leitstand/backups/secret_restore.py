"""Put the secrets of a backup back into their files: planned first, one file at a time, nothing lost."""

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from leitstand.backups import keys, secret_copies, secret_files
from leitstand.backups.sealing import seal
from leitstand.backups.secret_fingerprints import FILE as FINGERPRINT_FILE
from leitstand.backups.secret_fingerprints import fingerprint_key, fingerprints
from leitstand.backups.secret_opening import Opened
from leitstand.errors import Conflict
from leitstand.settings import Settings
from leitstand.words import msg

SAME, MISSING, OLDER, NEWER = "same", "missing here", "older here", "newer here"


@dataclass(frozen=True)
class Change:
    """What a restore finds of one file.

    Args:
        state: same, missing here, older here (than the backup) or newer here.
        fingerprint_here, fingerprint_there: empty where there is none.
    """

    name: str
    state: str
    fingerprint_here: str
    fingerprint_there: str


@dataclass(frozen=True)
class Plan:
    """What a restore would do; its hash changes with everything in it."""

    place: str
    made_at: str
    folder: str
    changes: tuple[Change, ...]

    @property
    def newer(self) -> list[str]:
        """Files that were changed after the backup."""
        return [change.name for change in self.changes if change.state == NEWER]

    @property
    def written(self) -> list[str]:
        """Files that the restore writes."""
        return [change.name for change in self.changes if change.state != SAME]

    @property
    def sha256(self) -> str:
        return hashlib.sha256(json.dumps(asdict(self)).encode()).hexdigest()

    def to_dict(self) -> dict[str, object]:
        """JSON values."""
        return {**asdict(self), "sha256": self.sha256}


def plan(settings: Settings, opened: Opened) -> Plan:
    """Compare a backup with the files that are here."""
    key, known = fingerprint_key(settings), opened.secrets
    here = {
        name: path.read_bytes() for name in known if (path := secret_files.path_of(settings, name)).is_file()
    }
    ours, theirs = fingerprints(key, here), fingerprints(key, known)
    changes = tuple(
        Change(
            name,
            _state(secret_files.path_of(settings, name), ours.get(name, ""), mark, opened.made_at),
            ours.get(name, ""),
            mark,
        )
        for name, mark in theirs.items()
    )
    return Plan(opened.place, opened.known["made_at"], str(settings.data_dir), changes)


def _state(path: Path, here: str, there: str, made_at: datetime) -> str:
    if not here:
        return MISSING
    if here == there:
        return SAME
    return NEWER if datetime.fromtimestamp(path.stat().st_mtime, UTC) > made_at else OLDER


def restore(settings: Settings, opened: Opened, agreed: Plan, *, replace_newer: bool = False) -> Path | None:
    """Write the files of the plan, each complete or not at all and its owner's alone; running it again changes nothing.

    Args:
        agreed: the plan that was shown.
        replace_newer: also write over files that were changed after the backup.

    Returns:
        The sealed archive of what was replaced; None where nothing was.

    Raises:
        Conflict: the files have changed since the plan was made, or some are newer and `replace_newer` was not given.
    """
    if plan(settings, opened).sha256 != agreed.sha256:
        raise Conflict("The secrets have changed since this plan was made.", hint="Make the plan again.")
    if agreed.newer and not replace_newer:
        raise Conflict(
            msg("Changed here after the backup: {names}.", names=", ".join(agreed.newer)),
            hint="Add --replace-newer if the older values are wanted; what is replaced is kept, sealed.",
        )
    aside = _set_aside(settings, opened, agreed)
    settings.secrets_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name in agreed.written:
        keys.write_private(secret_files.path_of(settings, name), opened.secrets[name])
    with keys.locked(keys.keys_dir(settings)):
        path = keys.keys_dir(settings) / keys.RECIPIENTS
        if not path.exists():
            keys.write_private(path, opened.files[f"keys/{keys.RECIPIENTS}"])
    return aside


def _set_aside(settings: Settings, opened: Opened, agreed: Plan) -> Path | None:
    """What is about to be replaced, sealed to the recipients of this machine or, where it has none, of the backup."""
    replaced = {
        change.name: secret_files.path_of(settings, change.name).read_bytes()
        for change in agreed.changes
        if change.state in {OLDER, NEWER}
    }
    if not replaced:
        return None
    at, key = datetime.now(UTC), fingerprint_key(settings)
    known = {
        "id": "",
        "made_at": at.isoformat(),
        "inventory": sorted(replaced),
        "fingerprints": fingerprints(key, replaced),
    }
    body = secret_files.packed(
        {**replaced, f"keys/{FINGERPRINT_FILE}": key, secret_files.INVENTORY: json.dumps(known).encode()}
    )
    theirs = tuple(opened.files[f"keys/{keys.RECIPIENTS}"].decode().split())
    listed = keys.keys_dir(settings) / keys.RECIPIENTS
    ours = keys.recipients_of(settings) if listed.exists() or settings.backup_recipients else theirs
    return secret_copies.keep_replaced(settings, seal(body, keys.parsed(ours)), at=at)
