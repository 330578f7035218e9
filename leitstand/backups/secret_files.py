"""Backup of the secrets: the files of the secrets folder, what came by the environment instead, and the public keys.

Beside them the sealed archive holds what is known of it (`inventory.json`) and the key of the fingerprints, so that a
copy can be checked on a machine that has nothing but the copy and a key.
"""

import hashlib
import io
import json
import tarfile
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from leitstand.backups import keys, secret_copies
from leitstand.backups.parts import Part
from leitstand.backups.sealing import Content, seal
from leitstand.backups.secret_fingerprints import FILE as FINGERPRINT_FILE
from leitstand.backups.secret_fingerprints import fingerprint_key, fingerprints
from leitstand.backups.work import Job, Outcome
from leitstand.errors import PreconditionFailed
from leitstand.settings import Settings
from leitstand.telemetry.logs import get_logger
from leitstand.words import msg

ENGINE = "age"
NAME = "secrets.tar.zst.age"
FOLDER, PREFIX = "secrets/", "secrets/leitstand_"
INVENTORY = "inventory.json"
# Without these nothing of an environment comes back.
NEEDED = ("database_password", "s3_access_key", "s3_secret_key", "session_secret")
# Without it nothing that pgBackRest stored can be read.
NEEDED_BY_PGBACKREST = "pgbackrest_cipher_pass"

log = get_logger("backups")


def take(job: Job) -> Outcome:
    """Encrypt every secret and store it in two places; the manifest names them and holds no value.

    A second place that can't be written does not stop the first: the manifest says so, under `copy`.

    Raises:
        PreconditionFailed: there is no secret, or one is missing that is needed, which can't be right; or every key
            that would open them lies here.
    """
    secrets = gather(job.settings)
    if not secrets:
        raise PreconditionFailed(
            msg(
                "There is no secret in {secrets_dir} and none in the environment.",
                secrets_dir=job.settings.secrets_dir,
            ),
            hint="Check LEITSTAND_DATA_DIR.",
        )
    if lost := lacking(job.settings, secrets):
        raise PreconditionFailed(
            msg("A backup without {names} would not bring this environment back.", names=", ".join(lost)),
            hint="Put back what is lost: leitstand secrets restore shows it first.",
        )
    keys.check_offline(job.settings, job.recipients)
    at, key = datetime.now(UTC), fingerprint_key(job.settings)
    inventory = {"inventory": sorted(secrets), "fingerprints": fingerprints(key, secrets)}
    known = {"id": str(job.backup_id), "made_at": at.isoformat(), **inventory}
    body = packed(
        {
            **secrets,
            f"keys/{keys.RECIPIENTS}": ("\n".join(job.recipients) + "\n").encode(),
            f"keys/{FINGERPRINT_FILE}": key,
            INVENTORY: json.dumps(known).encode(),
        }
    )
    sealed = seal(body, keys.parsed(job.recipients))
    copy = _copy(job, sealed, at)
    stored = job.storage.put_bytes(job.bucket, f"{job.prefix}{NAME}", sealed)
    manifest = {
        **inventory,
        "copy": copy,
        "parts": [vars(Part(stored.key, stored.bytes, stored.sha256))],
        "content": vars(Content(len(body), hashlib.sha256(body).hexdigest())),
    }
    return Outcome(manifest, stored.bytes)


def _copy(job: Job, sealed: bytes, at: datetime) -> dict[str, str]:
    try:
        path = secret_copies.keep_copy(job.settings, sealed, at=at, backup_id=job.backup_id)
    except OSError as error:
        reason = f"{error.strerror or type(error).__name__}: {secret_copies.copies_dir(job.settings)}"
        log.exception("second copy of the secrets failed", backup=str(job.backup_id), reason=reason)
        return {"path": "", "error": reason}
    return {"path": str(path), "error": ""}


def gather(settings: Settings) -> dict[str, bytes]:
    """Every secret by the name of the file that holds it, or would hold it."""
    found = {f"{FOLDER}{path.name}": path.read_bytes() for path in _files(settings)}
    for name in type(settings).model_fields:
        value: Any = getattr(settings, name)
        if isinstance(value, SecretStr) and value.get_secret_value():
            found.setdefault(f"{PREFIX}{name}", value.get_secret_value().encode())
    return found


def path_of(settings: Settings, name: str) -> Path:
    """Where the file of a secret lies, whose name in a backup is `name`: secrets may have a folder of their own."""
    if name.startswith(FOLDER):
        return settings.secrets_dir / name.removeprefix(FOLDER)
    return settings.data_dir / name


def lacking(settings: Settings, names: Iterable[str]) -> list[str]:
    """The secrets without which nothing comes back that are not among `names`."""
    needed = {f"{PREFIX}{name}" for name in NEEDED}
    if settings.database_url_override:
        needed.discard(f"{PREFIX}database_password")
    if settings.backup_engine == "pgbackrest":
        needed.add(f"{PREFIX}{NEEDED_BY_PGBACKREST}")
    return sorted(needed - set(names))


def held_in_files(settings: Settings) -> list[str]:
    """The secret settings that have the value of their file, and so change with it."""
    return [name for name, value in _of_files(settings).items() if _plain(settings, name) == value]


def reread(settings: Settings, names: list[str]) -> Settings:
    """The same settings, with these secrets as their files are now."""
    now = _of_files(settings)
    changed = {name: now[name] for name in names if name in now and now[name] != _plain(settings, name)}
    values = {name: SecretStr(value) for name, value in changed.items()}
    return settings.model_copy(update=values) if values else settings


def _of_files(settings: Settings) -> dict[str, str]:
    paths = {name: path_of(settings, f"{PREFIX}{name}") for name in type(settings).model_fields}
    secret = {name: path for name, path in paths.items() if isinstance(getattr(settings, name), SecretStr)}
    return {name: path.read_text().strip() for name, path in secret.items() if path.is_file()}


def _plain(settings: Settings, name: str) -> str:
    value: SecretStr = getattr(settings, name)
    return value.get_secret_value()


def _files(settings: Settings) -> list[Path]:
    folder = settings.secrets_dir
    return (
        sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
        if folder.is_dir()
        else []
    )


def packed(files: dict[str, bytes]) -> bytes:
    """Files as one archive, to be sealed."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, content in sorted(files.items()):
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o600
            archive.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def unpacked(body: bytes) -> dict[str, bytes]:
    """The files of a decrypted backup, by name."""
    with tarfile.open(fileobj=io.BytesIO(body)) as archive:
        members = [
            (member, archive.extractfile(member)) for member in archive.getmembers() if member.isfile()
        ]
        return {member.name: stream.read() for member, stream in members if stream}
