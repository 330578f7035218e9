"""From stored parts to a folder: checked, decrypted, unpacked without leaving the folder."""

import os
import tarfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import IO, Any, cast

from leitstand.backups.parts import Part, PartsReader
from leitstand.backups.sealing import Measured, ReadAhead, unsealed
from leitstand.errors import IntegrityFailed
from leitstand.storage.objects import ObjectStorage
from leitstand.words import msg

CHUNK = 1024 * 1024
BLOCK = tarfile.BLOCKSIZE
Buffer = bytes | memoryview


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
        # One thread decrypts, one decompresses, and this one writes. What it writes is not hashed once more: each part
        # is, age and zstd tell a cut or changed stream, and PostgreSQL's own check compares every file afterwards.
        plain = Measured(stream, seen=seen, hashed=False)
        with ReadAhead(plain) as ahead:
            extract(ahead.take, target)
            while ahead.take(CHUNK):
                pass
    if plain.bytes != manifest["content"]["bytes"]:
        raise IntegrityFailed(
            msg(
                "What was unpacked has {bytes} bytes and not {wanted}.",
                bytes=plain.bytes,
                wanted=manifest["content"]["bytes"],
            ),
            hint="Use another backup.",
        )


def extract(take: Callable[[int], Buffer], target: Path) -> None:
    """Unpack a tar stream of plain headers (ustar), which is what PostgreSQL writes.

    Much of a restore is this loop, so no piece is copied on its way to its file, which tarfile does four times.

    Args:
        take: gives at most so many of the next bytes, none at the end.

    Raises:
        IntegrityFailed: a member is neither file nor folder or lies outside of `target`, or this is no whole tar stream.
    """
    try:
        while any(block := _exactly(take, BLOCK)):
            _member(tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape"), take, target)
    except tarfile.TarError as error:
        raise IntegrityFailed(
            msg("The backup can't be unpacked: {error}.", error=error), hint="Use another backup."
        ) from error


def _member(member: tarfile.TarInfo, take: Callable[[int], Buffer], target: Path) -> None:
    place = PurePosixPath(member.name)
    if place.is_absolute() or ".." in place.parts or "\0" in member.name:
        raise IntegrityFailed(
            msg("The backup holds {name!r}, which lies outside of the folder.", name=member.name)
        )
    if not (member.isfile() or member.isdir()):
        raise IntegrityFailed(
            msg("The backup holds {name!r}, which is neither file nor folder.", name=member.name)
        )
    path = target / place
    if member.isdir():
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        return
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with open(path, "wb", buffering=0, opener=_private) as file:
        left = member.size
        while left:
            piece = memoryview(_some(take, min(left, CHUNK)))
            left -= len(piece)
            while piece:
                piece = piece[file.write(piece) :]
    _exactly(take, -member.size % BLOCK)


def _private(path: str, flags: int) -> int:
    """For its owner alone, as PostgreSQL makes its files, whatever the mask of whoever restores."""
    return os.open(path, flags, 0o600)


def _exactly(take: Callable[[int], Buffer], size: int) -> bytes:
    found = b""
    while len(found) < size:
        found += _some(take, size - len(found))
    return found


def _some(take: Callable[[int], Buffer], size: int) -> Buffer:
    piece = take(size)
    if not piece:
        raise tarfile.ReadError("it ends too early")
    return piece
