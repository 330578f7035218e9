"""Where copies of objects lie, and the inventory that a backup of them has."""

import hashlib
import json
from typing import IO, Any, cast

from leitstand.backups import keys
from leitstand.backups.sealing import Measured, unseal
from leitstand.errors import IntegrityFailed
from leitstand.settings import Settings
from leitstand.storage.objects import ObjectStorage

DATA = "objects/data/"
LARGEST = 2 * 1024**3


def data_key(sha256: str) -> str:
    """Where the copy of a content lies, encrypted."""
    return f"{DATA}{sha256[:2]}/{sha256}.age"


def read_inventory(
    storage: ObjectStorage, settings: Settings, manifest: dict[str, Any]
) -> list[dict[str, Any]]:
    """The entries of a backup of objects: key, version, bytes and sha256 of each.

    Raises:
        IntegrityFailed: it is not what the manifest says.
        NotFound: it is gone.
    """
    place, content = manifest["inventory"], manifest["inventory_content"]
    sealed = storage.get_bytes(settings.bucket_backups, place["key"], sha256=place["sha256"])
    body = unseal(sealed, keys.identities(settings), most=LARGEST)
    if hashlib.sha256(body).hexdigest() != content["sha256"]:
        raise IntegrityFailed(f"The inventory {place['key']} is not the one that its manifest names.")
    entries: list[dict[str, Any]] = json.loads(body)
    return entries


def open_copy(
    storage: ObjectStorage, settings: Settings, entry: dict[str, Any], *, identities: list[Any]
) -> tuple[int, str]:
    """Decrypt one copy without keeping it; gives its bytes and SHA-256.

    Raises:
        IntegrityFailed: it was cut or changed.
        NotFound: it is gone.
    """
    import pyrage

    sink = _Hashing()
    with storage.open_stream(settings.bucket_backups, data_key(entry["sha256"])) as stream:
        source = Measured(cast(IO[bytes], stream))
        try:
            pyrage.decrypt_io(source, sink, identities)
        except Exception as error:
            raise source.error or IntegrityFailed(
                f"The copy of {entry['key']} can't be decrypted ({error})."
            ) from error
    return sink.bytes, sink.hash.hexdigest()


class _Hashing:
    def __init__(self) -> None:
        self.hash = hashlib.sha256()
        self.bytes = 0

    def write(self, data: bytes) -> int:
        self.hash.update(data)
        self.bytes += len(data)
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""
