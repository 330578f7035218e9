"""Compression and encryption of what leaves the machine: zstd, then age. Streams stay streams."""

import hashlib
import io
import os
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, cast

from leitstand.errors import IntegrityFailed, LeitstandError, PreconditionFailed
from leitstand.words import N_, msg

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

LEVEL = 3
CHUNK = 1024 * 1024
# zstd's own threads beside the one that encrypts; more do not help, as reading, hashing and encryption keep one busy each.
WORKERS = 2
AHEAD = 4


@dataclass(frozen=True)
class Content:
    """Size and SHA-256 of a stream before it was compressed and encrypted."""

    bytes: int
    sha256: str


class Measured(io.RawIOBase):
    """Passes a stream on, and knows its size, its hash (where `hashed`) and the error that ended it."""

    def __init__(
        self,
        source: IO[bytes],
        *,
        seen: Callable[[int], None] | None = None,
        passed: Callable[[bytes], None] | None = None,
        hashed: bool = True,
    ) -> None:
        super().__init__()
        self._source, self._seen, self._passed = source, seen, passed
        self._hash = hashlib.sha256() if hashed else None
        self.bytes = 0
        self.error: BaseException | None = None

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        """The next piece as the source gives it: what `RawIOBase` makes of `readinto` copies it twice."""
        try:
            data = self._source.read(size)
            if self._passed:
                self._passed(data)
        except BaseException as error:
            self.error = error
            raise
        if self._hash:
            self._hash.update(data)
        self.bytes += len(data)
        if self._seen:
            self._seen(self.bytes)
        return data

    def readinto(self, buffer: "WriteableBuffer") -> int:
        view = memoryview(buffer).cast("B")
        data = self.read(len(view))
        view[: len(data)] = data
        return len(data)

    @property
    def content(self) -> Content:
        """What has passed so far; without a hash where none was made."""
        return Content(self.bytes, self._hash.hexdigest() if self._hash else "")


class ReadAhead(io.RawIOBase):
    """Reads a stream in a thread, a few pieces ahead, so that reading and hashing go on while others work.

    What the source raises is raised where it would have been read. Leaving the block ends the thread, which may wait for
    its source until then: end what feeds it first, or read to the end.
    """

    def __init__(self, source: Measured) -> None:
        super().__init__()
        self._source = source
        self._pieces: queue.Queue[bytes | BaseException] = queue.Queue(AHEAD)
        self._left = threading.Event()
        self._rest = memoryview(b"")
        self._ended = False
        self._thread = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> "ReadAhead":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._left.set()
        with suppress(queue.Empty):
            while True:
                self._pieces.get_nowait()

    def readable(self) -> bool:
        return True

    def _read(self) -> None:
        try:
            while not self._left.is_set():
                piece = self._source.read(CHUNK) or b""
                self._pieces.put(piece)
                if not piece:
                    return
        except BaseException as error:  # handed to the thread that reads
            self._pieces.put(error)

    def take(self, size: int) -> memoryview:
        """At most so many bytes, none at the end; nothing is copied."""
        if not self._rest:
            self._rest = memoryview(self._next())
        taken, self._rest = self._rest[:size], self._rest[size:]
        return taken

    def read(self, size: int = -1, /) -> bytes:
        """At most so many bytes; a whole piece, where it fits, is not copied."""
        if size < 0:
            return self.readall() or b""
        if self._rest:
            return bytes(self.take(size))
        piece = self._next()
        if size < len(piece):
            self._rest = memoryview(piece)[size:]
            return piece[:size]
        return piece

    def readinto(self, buffer: "WriteableBuffer") -> int:
        view = memoryview(buffer).cast("B")
        taken = self.take(len(view))
        view[: len(taken)] = taken
        return len(taken)

    def _next(self) -> bytes:
        if self._ended:
            return b""
        piece = self._pieces.get()
        if isinstance(piece, BaseException):
            self._ended = True
            raise piece
        self._ended = not piece
        return piece


def seal_stream(
    source: IO[bytes],
    sink: Any,
    recipients: list[Any],
    *,
    seen: Callable[[int], None] | None = None,
    passed: Callable[[bytes], None] | None = None,
) -> Content:
    """Compress and encrypt `source` into `sink` (an object with `write`, `flush` and `error`) in bounded memory.

    Args:
        seen: told the number of bytes read so far.
        passed: given each piece as it was read.

    Raises:
        whatever reading or writing raised: pyrage would make another error of it, or none.
    """
    import pyrage
    import zstandard

    plain = Measured(source, seen=seen, passed=passed)
    compressor = zstandard.ZstdCompressor(level=LEVEL, threads=WORKERS)
    with ReadAhead(plain) as ahead:
        compressed = compressor.stream_reader(cast(IO[bytes], ahead), read_size=CHUNK)
        try:
            pyrage.encrypt_io(compressed, sink, recipients)
        except Exception as error:
            raise plain.error or sink.error or error from error
    if failure := plain.error or sink.error:
        raise failure
    return plain.content


@contextmanager
def unsealed(sealed: IO[bytes], identities: list[Any]) -> Iterator[IO[bytes]]:
    """The plain content of a sealed stream, as a stream; read it to its end inside the block.

    The decryption runs in a thread that writes into a pipe. What goes wrong in it is raised when the block ends,
    because to the reader it looks like the end of the stream.

    Raises:
        PreconditionFailed: no key that is here opens it.
        IntegrityFailed: it was cut or changed.
    """
    import zstandard

    source, (readable, writable) = Measured(sealed), os.pipe()
    sink, failures = _Pipe(writable), list[BaseException]()
    thread = threading.Thread(target=_decrypt, args=(source, sink, identities, failures), daemon=True)
    thread.start()
    try:
        with os.fdopen(readable, "rb") as decrypted:
            yield zstandard.ZstdDecompressor().stream_reader(decrypted, read_size=CHUNK)
    except Exception as error:
        thread.join()
        raise _cause(source, failures) or _unreadable(error) or error from error
    thread.join()
    if cause := _cause(source, failures):
        raise cause


class _Pipe:
    """The writing end of a pipe; `left` when the reader has gone, which is no fault of what is written."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.left = False

    def write(self, data: bytes) -> int:
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._descriptor, view) :]
        except BrokenPipeError:
            self.left = True
            raise
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        os.close(self._descriptor)


def _decrypt(source: Measured, sink: _Pipe, identities: list[Any], failures: list[BaseException]) -> None:
    import pyrage

    try:
        pyrage.decrypt_io(source, sink, identities)
    except BaseException as error:  # handed to the thread that reads
        if not sink.left:
            failures.append(error)
    finally:
        sink.close()


def _cause(source: Measured, failures: list[BaseException]) -> BaseException | None:
    """The error to raise: the store's own before what the decryption made of it."""
    if source.error:
        return source.error
    return _known(failures[0]) if failures else None


def _known(error: BaseException) -> BaseException:
    import pyrage

    if isinstance(error, LeitstandError):
        return error
    if isinstance(error, pyrage.DecryptError) and "matching" in str(error).lower():
        return PreconditionFailed(
            N_("None of the keys that are here opens this backup."),
            hint=N_("Put the operational or the offline recovery key (*.agekey) into <data_dir>/keys/."),
        )
    return IntegrityFailed(
        msg("Encrypted content is cut or changed ({error}).", error=error), hint=N_("Use another backup.")
    )


def _unreadable(error: Exception) -> LeitstandError | None:
    import zstandard

    if isinstance(error, zstandard.ZstdError):
        return IntegrityFailed(N_("Compressed content is cut or changed."), hint=N_("Use another backup."))
    return None


def seal(data: bytes, recipients: list[Any]) -> bytes:
    """Compress and encrypt what fits into memory."""
    import pyrage
    import zstandard

    sealed: bytes = pyrage.encrypt(zstandard.ZstdCompressor(level=LEVEL).compress(data), recipients)
    return sealed


def unseal(sealed: bytes, identities: list[Any], *, most: int) -> bytes:
    """The content of something small.

    Args:
        most: bytes that it may have at most; more is refused before it fills the memory.

    Raises:
        PreconditionFailed: no key that is here opens it.
        IntegrityFailed: it was cut, changed or is too large.
    """
    import pyrage
    import zstandard

    try:
        compressed = pyrage.decrypt(sealed, identities)
        with zstandard.ZstdDecompressor().stream_reader(compressed) as stream:
            data: bytes = stream.read(most + 1)
    except (pyrage.DecryptError, OSError, zstandard.ZstdError) as error:
        raise _known(error) from error
    if len(data) > most:
        raise IntegrityFailed(msg("Encrypted content is larger than {most} bytes.", most=most))
    return data
