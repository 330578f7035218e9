"""Compression and encryption: what goes in comes out, and nothing that was cut, changed or locked away does."""

import io
import os
import subprocess
import sys

import pytest
from pyrage import x25519

from leitstand.backups.sealing import Measured, seal, seal_stream, unseal, unsealed
from leitstand.errors import IntegrityFailed, PreconditionFailed, Unavailable

DATA = os.urandom(300_000) + bytes(2_000_000)


class Sink(io.BytesIO):
    error: BaseException | None = None


@pytest.fixture
def identity() -> x25519.Identity:
    return x25519.Identity.generate()


@pytest.fixture
def offline() -> x25519.Identity:
    return x25519.Identity.generate()


def sealed_stream(data: bytes, *identities: x25519.Identity) -> bytes:
    sink = Sink()
    content = seal_stream(io.BytesIO(data), sink, [identity.to_public() for identity in identities])
    assert content.bytes == len(data)
    return sink.getvalue()


def opened(sealed: bytes, *identities: x25519.Identity) -> bytes:
    with unsealed(io.BytesIO(sealed), list(identities)) as stream:
        return stream.read()


@pytest.mark.parametrize("data", [b"", b"x", DATA])
def test_each_recipient_opens_it(data: bytes, identity: x25519.Identity, offline: x25519.Identity) -> None:
    sealed = sealed_stream(data, identity, offline)
    assert opened(sealed, identity) == data
    assert opened(sealed, offline) == data
    assert data == b"" or data[:100] not in sealed or len(data) < 10


def test_it_is_compressed_before_it_is_encrypted(identity: x25519.Identity) -> None:
    assert len(sealed_stream(bytes(5_000_000), identity)) < 5_000


def test_a_stranger_opens_nothing(identity: x25519.Identity) -> None:
    with pytest.raises(PreconditionFailed, match="None of the keys"):
        opened(sealed_stream(DATA, identity), x25519.Identity.generate())
    with pytest.raises(PreconditionFailed, match="None of the keys"):
        unseal(seal(DATA, [identity.to_public()]), [x25519.Identity.generate()], most=10_000_000)


@pytest.mark.parametrize("keep", [0, 10, 150, 1000, 70_000, 200_000])
def test_a_cut_stream_is_found(identity: x25519.Identity, keep: int) -> None:
    sealed = sealed_stream(DATA, identity)
    with pytest.raises(IntegrityFailed):
        opened(sealed[:keep], identity)


def test_a_changed_byte_is_found(identity: x25519.Identity) -> None:
    sealed = bytearray(sealed_stream(DATA, identity))
    sealed[len(sealed) // 2] ^= 1
    with pytest.raises(IntegrityFailed):
        opened(bytes(sealed), identity)


def test_the_readers_own_error_comes_through(identity: x25519.Identity) -> None:
    sealed = sealed_stream(DATA, identity)
    with pytest.raises(ZeroDivisionError), unsealed(io.BytesIO(sealed), [identity]) as stream:
        stream.read(10)
        raise ZeroDivisionError


class Breaking(io.RawIOBase):
    """A source that gives a little and then fails."""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        data = self._data.read(size)
        if not data:
            raise Unavailable("the store is gone")
        return data


def test_a_failing_source_is_named_when_sealing_and_when_opening(identity: x25519.Identity) -> None:
    with pytest.raises(Unavailable, match="the store is gone"):
        seal_stream(Breaking(DATA), Sink(), [identity.to_public()])  # type: ignore[arg-type]
    sealed = sealed_stream(DATA, identity)
    with (
        pytest.raises(Unavailable, match="the store is gone"),
        unsealed(Breaking(sealed[:1000]), [identity]) as stream,
    ):  # type: ignore[arg-type]
        stream.read()


class FullDisk(Sink):
    def write(self, data: bytes) -> int:  # type: ignore[override]
        self.error = OSError("no space left")
        raise self.error


@pytest.mark.parametrize("size", [10, 1_000_000])
def test_a_failing_sink_never_looks_like_success(identity: x25519.Identity, size: int) -> None:
    with pytest.raises(OSError, match="no space left"):
        seal_stream(io.BytesIO(os.urandom(size)), FullDisk(), [identity.to_public()])


def test_a_small_thing_that_unfolds_into_a_huge_one_is_refused(identity: x25519.Identity) -> None:
    with pytest.raises(IntegrityFailed, match="larger than"):
        unseal(seal(bytes(10_000_000), [identity.to_public()]), [identity], most=1_000_000)


def test_measured_knows_size_and_hash() -> None:
    measured = Measured(io.BytesIO(b"content"))
    assert measured.read() == b"content"
    assert (measured.content.bytes, measured.content.sha256[:8]) == (7, "ed7002b4")


STREAMING = """
import io, os, resource, sys
from pyrage import x25519
from leitstand.backups.sealing import seal_stream
class Source(io.RawIOBase):
    left, block = 400, os.urandom(1 << 20)
    def read(self, size=-1):
        if not self.left: return b""
        self.left -= 1
        return self.block[:size]
class Sink:
    error = None
    def write(self, data): return len(data)
    def flush(self): pass
identity = x25519.Identity.generate()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
seal_stream(Source(), Sink(), [identity.to_public()])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_a_long_stream_needs_little_memory() -> None:
    unit = 1024 if sys.platform != "darwin" else 1
    grown = int(
        subprocess.run([sys.executable, "-c", STREAMING], capture_output=True, text=True, check=True).stdout
    )
    assert grown * unit < 60_000_000
