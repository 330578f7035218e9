"""Backup of the secrets: the files of the secrets folder, what came by the environment instead, and the public keys."""

import hashlib
import io
import tarfile
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from leitstand.backups import keys
from leitstand.backups.parts import Part
from leitstand.backups.sealing import Content, seal
from leitstand.backups.work import Job, Outcome
from leitstand.errors import PreconditionFailed
from leitstand.settings import Settings

ENGINE = "age"
NAME = "secrets.tar.zst.age"


def take(job: Job) -> Outcome:
    """Encrypt and store every secret; the manifest names them and holds no value and no hash of one.

    Raises:
        PreconditionFailed: there is no secret, which can't be right.
    """
    secrets = gather(job.settings)
    if not secrets:
        raise PreconditionFailed(
            f"There is no secret in {job.settings.secrets_dir} and none in the environment.",
            hint="Check LEITSTAND_DATA_DIR.",
        )
    body = _packed({**secrets, **_public_keys(job.settings)})
    sealed = seal(body, keys.parsed(job.recipients))
    stored = job.storage.put_bytes(job.bucket, f"{job.prefix}{NAME}", sealed)
    manifest = {
        "inventory": sorted(secrets),
        "parts": [vars(Part(stored.key, stored.bytes, stored.sha256))],
        "content": vars(Content(len(body), hashlib.sha256(body).hexdigest())),
    }
    return Outcome(manifest, stored.bytes)


def gather(settings: Settings) -> dict[str, bytes]:
    """Every secret by the name of the file that holds it, or would hold it."""
    found = {f"secrets/{path.name}": path.read_bytes() for path in _files(settings)}
    for name in type(settings).model_fields:
        value: Any = getattr(settings, name)
        if isinstance(value, SecretStr) and value.get_secret_value():
            found.setdefault(f"secrets/leitstand_{name}", value.get_secret_value().encode())
    return found


def _files(settings: Settings) -> list[Path]:
    folder = settings.secrets_dir
    return (
        sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
        if folder.is_dir()
        else []
    )


def _public_keys(settings: Settings) -> dict[str, bytes]:
    return {f"keys/{keys.RECIPIENTS}": ("\n".join(keys.recipients_of(settings)) + "\n").encode()}


def _packed(files: dict[str, bytes]) -> bytes:
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
