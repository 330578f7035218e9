"""The embedded object store obeys its own credential only, and keeps what it took when it is killed."""

import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from leitstand.embedded.objects import ObjectStore
from leitstand.errors import Unavailable
from leitstand.services import GRPC_OFFSET, OBJECTS_INTERNAL_OFFSETS
from leitstand.settings import Settings
from leitstand.storage.objects import ObjectStorage
from tests.services import free_base_port
from tests.waiting import wait_until

pytestmark = pytest.mark.slow

CONTENT = b"nobody may read this" * 1000
KEY = "tests/private"


@dataclass
class Running:
    """A store of this test's own, and its process, which may be killed."""

    store: ObjectStore
    process: subprocess.Popen[bytes]

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    store = ObjectStore(tmp_path / "objects", free_base_port(), "own-access", "own-secret")
    running = Running(store, store.start())
    yield running
    running.kill()
    store.remove_sockets()


@pytest.fixture
def store(running: Running) -> ObjectStore:
    return running.store


def storage_of(store: ObjectStore, settings: Settings) -> ObjectStorage:
    own = {
        "s3_endpoint": store.endpoint,
        "s3_access_key": store.access_key,
        "s3_secret_key": store.secret_key,
    }
    return ObjectStorage(Settings.model_validate(settings.model_dump() | own))


def shell(store: ObjectStore, *commands: str) -> str:
    """What the store's own administration shell gives to someone without its certificate."""
    master, filer = (store.port + OBJECTS_INTERNAL_OFFSETS[name] for name in ("master", "filer"))
    addresses = [
        f"-master=127.0.0.1:{master}.{master + GRPC_OFFSET}",
        f"-filer=127.0.0.1:{filer}.{filer + GRPC_OFFSET}",
    ]
    weed = str(Path(sys.executable).parent / "weed")
    try:
        done = subprocess.run(
            [weed, "shell", *addresses],
            input="\n".join(commands) + "\nexit\n",
            capture_output=True,
            text=True,
            timeout=5,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        return (error.stdout or b"").decode()
    return done.stdout


def test_the_administration_shell_reads_and_deletes_nothing_without_the_certificate(
    store: ObjectStore, settings: Settings
) -> None:
    storage = storage_of(store, settings)
    storage.ensure_buckets()
    storage.put_bytes(settings.bucket_media, KEY, CONTENT)
    said = shell(store, "collection.list", f"fs.cat /buckets/{settings.bucket_media}/{KEY}")
    assert "nobody may read this" not in said
    assert settings.bucket_media not in said
    shell(store, f"s3.bucket.delete -name {settings.bucket_media}")
    assert storage.get_bytes(settings.bucket_media, KEY) == CONTENT


def test_the_inner_ports_refuse_tls_clients_without_the_certificate(store: ObjectStore) -> None:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    for offset in OBJECTS_INTERNAL_OFFSETS.values():
        with pytest.raises(httpx.TransportError):
            httpx.get(f"https://127.0.0.1:{store.port + offset}/", verify=context, timeout=5)


def test_what_was_stored_survives_a_kill(running: Running, settings: Settings) -> None:
    storage = storage_of(running.store, settings)
    storage.ensure_buckets()
    storage.put_bytes(settings.bucket_media, KEY, CONTENT)
    running.kill()
    running.process = running.store.start()
    again = storage_of(running.store, settings)

    def content() -> bytes:
        # It answers before its volumes have found each other again.
        with suppress(Unavailable):
            return again.get_bytes(settings.bucket_media, KEY)
        return b""

    assert wait_until(content) == CONTENT


def test_keys_and_credentials_are_their_owners_alone(store: ObjectStore) -> None:
    for name in ("s3.json", "signing-keys.json", "inner-key.pem"):
        assert (store.data / name).stat().st_mode & 0o077 == 0, name
