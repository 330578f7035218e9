"""A download that goes on where the connection broke."""

import hashlib
import io
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from leitstand.errors import Conflict, IntegrityFailed
from leitstand.storage.retries import ATTEMPTS, attempt, is_transient, pause, translated
from leitstand.words import msg

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

Get = Callable[..., Any]


class ResumingReader(io.RawIOBase):
    """Reads one object; a cut connection is continued with Range and If-Match on the ETag.

    At the end the size and, where a hash is known, the SHA-256 of all that was read are compared.

    Args:
        get: `get_object` bound to bucket, key and version; it takes Range and IfMatch.
        what: s3://bucket/key, for messages.
        sha256: expected hash; empty takes the one that the object's metadata has.

    Raises:
        IntegrityFailed: on the last read, when the content is not what it should be.
        Conflict: the object was replaced while it was read.
        Unavailable: it broke off `ATTEMPTS` times without a byte of progress.
    """

    def __init__(self, get: Get, what: str, *, sha256: str = "") -> None:
        super().__init__()
        self._get, self._what = get, what
        first = attempt(get, what)
        self._body = first["Body"]
        self._etag: str = first["ETag"]
        self.bytes: int = first["ContentLength"]
        self.metadata: dict[str, str] = first.get("Metadata", {})
        self.expected = sha256 or self.metadata.get("sha256", "")
        self._hash = hashlib.sha256()
        self._offset = 0
        self.resumed = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        view = memoryview(buffer).cast("B")
        data = self._read(len(view))
        view[: len(data)] = data
        return len(data)

    def _read(self, size: int) -> bytes:
        failures = 0
        while self._offset < self.bytes:
            data = self._once(size)
            if data:
                self._hash.update(data)
                self._offset += len(data)
                return data
            failures += 1
            self._resume(failures)
        self._check()
        return b""

    def _once(self, size: int) -> bytes:
        try:
            data: bytes = self._body.read(min(size, self.bytes - self._offset))
        except Exception as error:
            if not is_transient(error):
                raise
            return b""
        return data

    def _resume(self, failures: int) -> None:
        """Ask for the rest; an answer that starts elsewhere or is of another object is refused."""
        self._body.close()
        if failures >= ATTEMPTS:
            raise translated(ConnectionError(), self._what)
        time.sleep(pause(failures))
        self.resumed += 1
        try:
            answer = attempt(
                lambda: self._get(Range=f"bytes={self._offset}-", IfMatch=self._etag), self._what
            )
        except Conflict as error:
            raise Conflict(
                msg("{what} was replaced while it was read.", what=self._what), hint="Read it again."
            ) from error
        wanted = f"bytes {self._offset}-{self.bytes - 1}/{self.bytes}"
        if answer.get("ContentRange") != wanted or answer["ETag"] != self._etag:
            raise IntegrityFailed(
                msg("The object store answered another part of {what} than was asked for.", what=self._what)
            )
        self._body = answer["Body"]

    def _check(self) -> None:
        if self.expected and self._hash.hexdigest() != self.expected:
            raise IntegrityFailed(
                msg("The content of {what} is not what was stored (SHA-256 differs).", what=self._what),
                hint="Restore it from a backup or an older version.",
                details={"expected": self.expected, "read": self._hash.hexdigest()},
            )

    @property
    def sha256(self) -> str:
        """Hash of what was read so far, hexadecimal."""
        return self._hash.hexdigest()

    def close(self) -> None:
        if not self.closed:
            self._body.close()
        super().close()
