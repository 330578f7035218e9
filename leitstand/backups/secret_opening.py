"""Open a backup of the secrets, from the bucket or from a copy, with a key that is here; and see whether it is whole.

None of this needs the database: when the machine is gone, the store (or a copy) and a key are enough.
"""

import hashlib
import json
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from leitstand.backups import entries as catalogue
from leitstand.backups import keys, secret_copies, secret_files
from leitstand.backups.sealing import unseal
from leitstand.backups.secret_backups import KIND, current_fingerprints
from leitstand.backups.secret_fingerprints import FILE as FINGERPRINT_FILE
from leitstand.backups.secret_fingerprints import fingerprints
from leitstand.errors import IntegrityFailed, NotFound, PreconditionFailed
from leitstand.settings import Settings
from leitstand.storage.objects import ObjectStorage
from leitstand.words import msg

NAME = re.compile(rf"{secret_files.FOLDER}\w[\w.-]*")
LIMIT_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, repr=False)
class Opened:
    """A decrypted backup of the secrets; its values are in memory only.

    Args:
        place: where it came from.
        known: its own inventory: id, made_at, inventory, fingerprints.
        files: name -> content, as `secrets/leitstand_database_password`.
    """

    place: str
    known: dict[str, Any]
    files: dict[str, bytes]

    def __repr__(self) -> str:
        return f"Opened({self.place!r})"

    @property
    def made_at(self) -> datetime:
        return datetime.fromisoformat(self.known["made_at"])

    @property
    def secrets(self) -> dict[str, bytes]:
        """The secrets alone."""
        return {name: body for name, body in self.files.items() if name.startswith(secret_files.FOLDER)}


def identities(settings: Settings, key_file: str | Path = "") -> list[Any]:
    """The private keys to open with: those of one file, else all that lie in this machine's folder.

    Raises:
        PreconditionFailed: there is none.
    """
    if not key_file:
        return keys.identities(settings)
    found = keys.identities_in(Path(key_file))
    if not found:
        raise PreconditionFailed(
            msg("There is no key in {key_file}.", key_file=key_file),
            hint="Name the file of the offline recovery or operational key.",
        )
    return found


def choose(settings: Settings, backup_id: str = "") -> dict[str, Any]:
    """The manifest of the newest backup of the secrets in the bucket, or of one by the beginning of its id.

    Raises:
        NotFound: there is none.
    """
    entries = catalogue.usable_entries(ObjectStorage(settings), settings.bucket_backups, KIND)
    fitting = [entry for entry in entries if str(entry["id"]).startswith(backup_id.lower())]
    if not fitting:
        raise NotFound("No backup of the secrets fits.", hint="`leitstand secrets backup` takes one.")
    return fitting[0]


def open_stored(settings: Settings, manifest: dict[str, Any], own: list[Any]) -> Opened:
    """Download and decrypt a backup of the bucket, and compare it with its manifest.

    Raises:
        PreconditionFailed: no key of `own` opens it.
        IntegrityFailed: it is not what was stored, or lacks something that its inventory names.
        NotFound: it is gone.
    """
    (part,) = manifest["parts"]
    sealed = ObjectStorage(settings).get_bytes(settings.bucket_backups, part["key"], sha256=part["sha256"])
    opened = _opened(
        sealed, own, f"s3://{settings.bucket_backups}/{part['key']}", manifest["content"]["sha256"]
    )
    if sorted(opened.secrets) != manifest["inventory"]:
        raise IntegrityFailed("The secrets are not those of the inventory.")
    if lost := secret_files.lacking(settings, opened.secrets):
        raise IntegrityFailed(
            msg(
                "The backup {id} lacks {names}: it would not bring this environment back.",
                id=manifest["id"],
                names=", ".join(lost),
            ),
            hint="Use an earlier backup; leitstand backup list --kind secrets shows them.",
        )
    return opened


def open_copy(path: Path, own: list[Any]) -> Opened:
    """Decrypt a copy, and compare it with the inventory inside it.

    Raises:
        NotFound: there is no such file.
        PreconditionFailed, IntegrityFailed: as `open_stored`.
    """
    try:
        sealed = path.read_bytes()
    except OSError as error:
        raise NotFound(
            msg("{path} can't be read: {strerror}.", path=path, strerror=error.strerror),
            hint="Name another copy.",
        ) from error
    return _opened(sealed, own, str(path), "")


def _opened(sealed: bytes, own: list[Any], place: str, sha256: str) -> Opened:
    body = unseal(sealed, own, most=LIMIT_BYTES)
    if sha256 and hashlib.sha256(body).hexdigest() != sha256:
        raise IntegrityFailed("The secrets are not what was backed up.", hint="Use another backup.")
    files = secret_files.unpacked(body)
    if secret_files.INVENTORY not in files:
        raise IntegrityFailed(msg("{place} has no inventory: it is no backup of the secrets.", place=place))
    opened = Opened(place, json.loads(files[secret_files.INVENTORY]), files)
    # Whoever knows a public key can make such an archive: a name must not lead out of the folder.
    if odd := [name for name in opened.secrets if not NAME.fullmatch(name)]:
        raise IntegrityFailed(
            msg("{place} names files outside of the secrets folder: {odd!r}.", place=place, odd=odd[0])
        )
    found = fingerprints(files[f"keys/{FINGERPRINT_FILE}"], opened.secrets)
    if found != opened.known["fingerprints"]:
        wrong = sorted(
            name
            for name in {*found, *opened.known["fingerprints"]}
            if found.get(name) != opened.known["fingerprints"].get(name)
        )
        raise IntegrityFailed(
            msg("Missing in the backup, or other than its inventory says: {names}.", names=", ".join(wrong)),
            hint="Use another backup.",
        )
    return opened


def verify(settings: Settings, *, backup_id: str = "", key_file: str = "") -> dict[str, Any]:
    """Open the newest backup (or the one named) in both places and compare it with its inventory and with what is here.

    Returns:
        ok, backup_id, made_at, secrets (names), places, changed (names that differ from what is here now).

    Raises:
        NotFound, PreconditionFailed, IntegrityFailed: it does not open, or is not what was backed up.
    """
    own, manifest = identities(settings, key_file), choose(settings, backup_id)
    opened = open_stored(settings, manifest, own)
    path = secret_copies.copy_of(settings, str(manifest["id"]))
    if path is None:
        raise NotFound(
            msg(
                "The second copy of backup {id} is not in {copies_dir}.",
                id=manifest["id"],
                copies_dir=secret_copies.copies_dir(settings),
            ),
            hint="`leitstand secrets backup` writes both places.",
        )
    if open_copy(path, own).files != opened.files:
        raise IntegrityFailed("The two copies of the secrets differ.", hint="Take a new backup.")
    here, there = current_fingerprints(settings), opened.known["fingerprints"]
    changed = sorted(name for name in {*here, *there} if here.get(name) != there.get(name))
    return {
        "ok": not changed,
        "backup_id": manifest["id"],
        "made_at": opened.known["made_at"],
        "secrets": sorted(opened.secrets),
        "places": [opened.place, str(path)],
        "changed": changed,
    }
