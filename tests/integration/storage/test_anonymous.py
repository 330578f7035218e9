"""No port of the embedded store answers someone without credentials."""

import socket
from urllib.parse import urlsplit

import httpx
import pytest

from leitstand.services import GRPC_OFFSET, OBJECTS, OBJECTS_INTERNAL_OFFSETS
from leitstand.settings import Settings
from leitstand.storage.objects import ObjectStorage

SECRET = b"nobody may read this"
KEY = "tests/private"


@pytest.fixture
def bucket(settings: Settings) -> str:
    storage = ObjectStorage(settings)
    storage.ensure_buckets()
    storage.put_bytes(settings.bucket_media, KEY, SECRET)
    return settings.bucket_media


def ports(settings: Settings) -> dict[str, int]:
    base = (urlsplit(settings.s3_url).port or 0) - OBJECTS.offset
    return {
        "s3": base + OBJECTS.offset,
        **{name: base + offset for name, offset in OBJECTS_INTERNAL_OFFSETS.items()},
    }


def paths(bucket: str) -> list[str]:
    """Addresses of an object, of listings, and of the master's management, which would delete a whole bucket."""
    objects = [f"/buckets/{bucket}/{KEY}", f"/{bucket}/{KEY}", f"/{bucket}", "/buckets/?pretty=y"]
    return [*objects, f"/col/delete?collection={bucket}", "/dir/assign", "/vol/status", "/submit"]


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT", "POST"])
def test_no_port_reads_or_changes_anything_unsigned(settings: Settings, bucket: str, method: str) -> None:
    for name, port in ports(settings).items():
        for path in paths(bucket):
            try:
                answer = httpx.request(method, f"http://127.0.0.1:{port}{path}", timeout=5)
            except httpx.TransportError:
                continue
            assert SECRET not in answer.content, (name, path)
            assert not answer.is_success, (method, name, path, answer.status_code)
    assert ObjectStorage(settings).get_bytes(bucket, KEY) == SECRET


def test_a_volume_server_gives_no_chunk_without_a_signed_token(settings: Settings, bucket: str) -> None:
    """The volume server keeps chunks under guessable ids."""
    port = ports(settings)["volume"]
    for volume in range(1, 10):
        for needle in ("01", "02", "0100000000"):
            answer = httpx.get(f"http://127.0.0.1:{port}/{volume},{needle}00000000", timeout=5)
            assert not answer.is_success or SECRET not in answer.content


def test_every_port_listens_on_the_loopback_only(settings: Settings, bucket: str) -> None:
    """A listener on 0.0.0.0 would leave the address of another interface taken."""
    host = _other_address()
    if host is None:
        pytest.skip("this machine has no address but 127.0.0.1")
    for name, port in {
        **ports(settings),
        **{f"{name}-grpc": port + GRPC_OFFSET for name, port in ports(settings).items()},
    }.items():
        with socket.socket() as probe:
            probe.settimeout(2)
            assert probe.connect_ex((host, port)) != 0, f"{name} listens on {host}:{port}"


def _other_address() -> str | None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return None
        address = str(probe.getsockname()[0])
    return None if address.startswith("127.") else address
