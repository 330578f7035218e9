"""A download whose connection is cut in mid-object."""

import os
import socket
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from leitstand.errors import Conflict, Unavailable
from leitstand.settings import Settings
from leitstand.storage.objects import ObjectStorage
from tests.integration.storage.proxy import CuttingProxy

SIZE = 3_000_000
# Other workers use the same store.
KEY = f"tests/resume-{os.getpid()}"


@pytest.fixture
def content(settings: Settings) -> bytes:
    storage = ObjectStorage(settings)
    storage.ensure_buckets()
    data = os.urandom(SIZE)
    storage.put_bytes(settings.bucket_backups, KEY, data)
    return data


def through(settings: Settings, proxy: CuttingProxy) -> ObjectStorage:
    return ObjectStorage(settings.model_copy(update={"s3_endpoint": f"http://127.0.0.1:{proxy.port}"}))


def port_of_store(settings: Settings) -> int:
    return urlsplit(settings.s3_url).port or 0


@pytest.mark.parametrize("reset", [False, True])
def test_a_cut_download_goes_on_where_it_broke(
    settings: Settings, content: bytes, tmp_path: Path, reset: bool
) -> None:
    with CuttingProxy(port_of_store(settings), after=700_000, cuts=4, reset=reset) as proxy:
        storage = through(settings, proxy)
        with storage.open_stream(settings.bucket_backups, KEY) as stream:
            assert stream.readall() == content
            assert stream.resumed >= 1
        storage.download(settings.bucket_backups, KEY, tmp_path / "copy")
    assert proxy.done == 4
    assert (tmp_path / "copy").read_bytes() == content


def test_a_line_that_never_holds_ends_with_unavailable(
    settings: Settings, content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("leitstand.storage.retries.FIRST_PAUSE", 0.001)
    with CuttingProxy(port_of_store(settings), after=1, cuts=10_000) as proxy, pytest.raises(Unavailable):
        through(settings, proxy).download(settings.bucket_backups, KEY, tmp_path / "copy")
    assert list(tmp_path.iterdir()) == []


def test_an_object_replaced_in_between_is_not_patched_together(settings: Settings, content: bytes) -> None:
    with CuttingProxy(port_of_store(settings), after=500_000, cuts=1) as proxy:
        stream = through(settings, proxy).open_stream(settings.bucket_backups, KEY)
        begin = stream.read(1000)
        assert begin == content[: len(begin or b"")]
        ObjectStorage(settings).put_bytes(settings.bucket_backups, KEY, os.urandom(SIZE))
        with pytest.raises(Conflict, match="replaced"), stream:
            stream.readall()


def test_a_refused_port_is_unavailable(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leitstand.storage.retries.FIRST_PAUSE", 0.001)
    with socket.socket() as taken:
        # Bound and not listening: nobody else gets the port, and it refuses everyone.
        taken.bind(("127.0.0.1", 0))
        refusing = settings.model_copy(update={"s3_endpoint": f"http://127.0.0.1:{taken.getsockname()[1]}"})
        with pytest.raises(Unavailable, match="does not answer"):
            ObjectStorage(refusing).get_bytes(settings.bucket_backups, KEY)
