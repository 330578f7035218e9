"""A long stream as objects of a bounded size, each with its own SHA-256."""

import io
import tempfile
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from leitstand.errors import IntegrityFailed
from leitstand.storage.objects import ObjectStorage
from leitstand.storage.reader import ResumingReader
from leitstand.words import msg

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

PART_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True)
class Part:
    """One object of a stream."""

    key: str
    bytes: int
    sha256: str

    @classmethod
    def of(cls, entry: dict[str, Any]) -> "Part":
        """From a manifest's entry."""
        return cls(str(entry["key"]), int(entry["bytes"]), str(entry["sha256"]))


class PartWriter:
    """Writes a stream as `<prefix>part-00000` and so on; while one part is written, the one before is being stored.

    So at most two are on disk. `error` holds what went wrong: pyrage calls `write` and swallows some of its errors.
    """

    def __init__(
        self, storage: ObjectStorage, bucket: str, prefix: str, folder: Path, *, part_bytes: int = PART_BYTES
    ) -> None:
        self._storage, self._bucket, self._prefix = storage, bucket, prefix
        self._folder, self._part_bytes = folder, part_bytes
        self._spool: IO[bytes] | None = None
        self._uploads = ThreadPoolExecutor(1, thread_name_prefix="part")
        self._storing: Future[Part] | None = None
        self.parts: list[Part] = []
        self.error: BaseException | None = None

    def write(self, data: bytes) -> int:
        """Take some of the stream; gives how much, as files do."""
        if self.error:
            raise self.error
        try:
            self._write(data)
        except BaseException as error:
            self.error = error
            raise
        return len(data)

    def _write(self, data: bytes) -> None:
        if self._spool is None:
            self._spool = tempfile.NamedTemporaryFile(dir=self._folder, prefix="part-")  # noqa: SIM115 - closed in _store
        self._spool.write(data)
        if self._spool.tell() >= self._part_bytes:
            self._store()

    def _store(self) -> None:
        """Have the part that is full stored, as soon as the one before is."""
        if self._spool is None:
            return
        self._settle()
        spool, self._spool = self._spool, None
        self._storing = self._uploads.submit(self._put, spool, len(self.parts))

    def _put(self, spool: IO[bytes], number: int) -> Part:
        with spool:
            spool.flush()
            key = f"{self._prefix}part-{number:05d}"
            stored = self._storage.put_file(self._bucket, key, Path(spool.name))
        return Part(key, stored.bytes, stored.sha256)

    def _settle(self) -> None:
        """Wait until the part before is stored, or raise why it is not."""
        if self._storing is not None:
            storing, self._storing = self._storing, None
            self.parts.append(storing.result())

    def flush(self) -> None:
        """Nothing: parts go out when they are full, the last one by `finish`."""

    def finish(self) -> list[Part]:
        """Store the last part and give all of them, in order."""
        self._store()
        self._settle()
        self._uploads.shutdown()
        return self.parts

    def discard(self) -> None:
        """Drop the part that was begun, and wait for the one that is being stored."""
        self._uploads.shutdown(cancel_futures=True)
        if self._spool is not None:
            self._spool.close()
            self._spool = None


class PartsReader(io.RawIOBase):
    """The parts as one stream; a part whose size or hash differs raises IntegrityFailed."""

    def __init__(self, storage: ObjectStorage, bucket: str, parts: Sequence[Part]) -> None:
        super().__init__()
        self._storage, self._bucket = storage, bucket
        self._left = list(parts)
        self._current: ResumingReader | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        while current := self._current or self._open_next():
            if count := current.readinto(buffer):
                return count
            current.close()
            self._current = None
        return 0

    def _open_next(self) -> ResumingReader | None:
        if not self._left:
            return None
        part = self._left.pop(0)
        self._current = self._storage.open_stream(self._bucket, part.key, sha256=part.sha256)
        if self._current.bytes != part.bytes:
            raise IntegrityFailed(
                msg(
                    "{key} has {bytes} bytes and its manifest says {wanted}.",
                    key=part.key,
                    bytes=self._current.bytes,
                    wanted=part.bytes,
                ),
                hint="Use another backup.",
            )
        return self._current

    def close(self) -> None:
        if self._current is not None:
            self._current.close()
        super().close()
