"""From stored parts to a folder: checked, decrypted, unpacked without leaving the folder."""

import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, cast

from leitstand.backups.parts import Part, PartsReader
from leitstand.backups.sealing import Measured, ReadAhead, unsealed
from leitstand.errors import IntegrityFailed
from leitstand.storage.objects import ObjectStorage

CHUNK = 1024 * 1024


def unpack(
    storage: ObjectStorage,
    bucket: str,
    manifest: dict[str, Any],
    target: Path,
    identities: list[Any],
    *,
    seen: Callable[[int], None] | None = None,
) -> None:
    """Unpack a backup of PostgreSQL into `target`, an empty folder.

    Raises:
        IntegrityFailed: a part, the encryption or the whole differs from the manifest, or a member would be
            written outside of `target`.
        NotFound: a part is gone.
    """
    parts = [Part.of(entry) for entry in manifest["parts"]]
    with (
        PartsReader(storage, bucket, parts) as sealed,
        unsealed(cast(IO[bytes], sealed), identities) as stream,
    ):
        plain = Measured(stream, seen=seen)
        # One thread decrypts, one decompresses and hashes, and this one writes.
        with ReadAhead(plain) as ahead:
            extract(cast(IO[bytes], ahead), target)
            while ahead.read(CHUNK):
                pass
    expected = manifest["content"]
    if (plain.content.bytes, plain.content.sha256) != (expected["bytes"], expected["sha256"]):
        raise IntegrityFailed(
            "What was unpacked is not what was backed up (SHA-256 differs).", hint="Use another backup."
        )


def extract(stream: IO[bytes], target: Path) -> None:
    """Unpack a tar stream; links, devices and paths that lead out of `target` are refused.

    Raises:
        IntegrityFailed: it holds such a member, or it is no tar stream.
    """
    try:
        with tarfile.open(fileobj=stream, mode="r|", bufsize=CHUNK) as archive:
            archive.copybufsize = CHUNK  # type: ignore[attr-defined]  # the stubs do not know it
            for member in archive:
                if not (member.isfile() or member.isdir()):
                    raise IntegrityFailed(
                        f"The backup holds {member.name!r}, which is neither file nor folder."
                    )
                archive.extract(member, target, filter="data")
    except tarfile.TarError as error:
        raise IntegrityFailed(
            f"The backup can't be unpacked: {error}.", hint="Use another backup."
        ) from error
