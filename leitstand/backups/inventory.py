"""Where copies of objects lie, and the inventory that a backup of them has."""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import IO, Any, cast

from leitstand.backups import keys
from leitstand.backups.places import Copies
from leitstand.backups.sealing import Measured, unseal
from leitstand.errors import IntegrityFailed
from leitstand.settings import Settings
from leitstand.words import msg

DATA = "objects/data/"
LARGEST = 2 * 1024**3
BINARY = "application/octet-stream"


@dataclass(frozen=True)
class Entry:
    """One object that was copied.

    Args:
        role: of its bucket (see `places`).
        version: the bucket's own version id.
        sha256: of the content; the copy lies under it.
        modified: when this version was written, by the store's clock (ISO 8601); empty when it is not known.
        metadata: what was stored beside the content.
    """

    key: str
    version: str
    bytes: int
    sha256: str
    role: str = "media"
    modified: str = ""
    content_type: str = BINARY
    metadata: dict[str, str] = field(default_factory=dict)

    @property
    def written_at(self) -> datetime:
        """`modified` as an instant; the earliest there is when it is not known."""
        return datetime.fromisoformat(self.modified) if self.modified else datetime.min.replace(tzinfo=UTC)

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return asdict(self)


def data_key(sha256: str) -> str:
    """Where the copy of a content lies, encrypted."""
    return f"{DATA}{sha256[:2]}/{sha256}.age"


def read_inventory(copies: Copies, settings: Settings, manifest: dict[str, Any]) -> list[Entry]:
    """Every object of a backup.

    Raises:
        IntegrityFailed: it is not what the manifest says.
        NotFound: it is gone.
    """
    place, content = manifest["inventory"], manifest["inventory_content"]
    sealed = copies.storage.get_bytes(copies.bucket, place["key"], sha256=place["sha256"])
    body = unseal(sealed, keys.identities(settings), most=LARGEST)
    if hashlib.sha256(body).hexdigest() != content["sha256"]:
        raise IntegrityFailed(
            msg("The inventory {key} is not the one that its manifest names.", key=place["key"])
        )
    return [Entry(**entry) for entry in json.loads(body)]


def write_copy(copies: Copies, entry: Entry, sink: Any, *, identities: list[Any]) -> tuple[int, str]:
    """Decrypt one copy into `sink` (an object with `write` and `flush`); gives its bytes and SHA-256.

    Raises:
        IntegrityFailed: it was cut or changed.
        NotFound: it is gone.
    """
    import pyrage

    hashing = _Hashing(sink)
    with copies.storage.open_stream(copies.bucket, data_key(entry.sha256)) as stream:
        source = Measured(cast(IO[bytes], stream))
        try:
            pyrage.decrypt_io(source, hashing, identities)
        except Exception as error:
            raise (
                source.error
                or hashing.error
                or IntegrityFailed(
                    msg("The copy of {key} can't be decrypted ({error}).", key=entry.key, error=error)
                )
            ) from error
    if hashing.error:
        raise hashing.error
    return hashing.bytes, hashing.hash.hexdigest()


def open_copy(copies: Copies, entry: Entry, *, identities: list[Any]) -> tuple[int, str]:
    """Decrypt one copy without keeping it; gives its bytes and SHA-256, and raises as `write_copy`."""
    return write_copy(copies, entry, None, identities=identities)


class _Hashing:
    """Passes on to `sink`, where there is one, and keeps the error of writing, which pyrage would change."""

    def __init__(self, sink: Any) -> None:
        self.sink = sink
        self.hash = hashlib.sha256()
        self.bytes = 0
        self.error: OSError | None = None

    def write(self, data: bytes) -> int:
        self.hash.update(data)
        self.bytes += len(data)
        if self.sink is not None:
            try:
                self.sink.write(data)
            except OSError as error:
                self.error = error
                raise
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""
