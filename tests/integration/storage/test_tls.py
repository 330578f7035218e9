"""A store behind TLS with a certificate of its own authority, as staging has one."""

import socket
import ssl
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from leitstand.services import POSTGRES
from leitstand.settings import Settings
from leitstand.storage.objects import ObjectStorage
from tests.pgbackrest import settings_of, tls_store
from tests.services import free_base_port

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def behind_tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    tmp_path = tmp_path_factory.mktemp("tls")
    with tls_store(tmp_path / "store") as store:
        yield settings_of(tmp_path, store, free_base_port() + POSTGRES.offset)


def test_the_probe_asks_by_the_authority_that_the_settings_name(behind_tls: Settings) -> None:
    """What is asked without a signature, too: it was refused for its certificate and not for its reader."""
    storage = ObjectStorage(behind_tls)
    storage.ensure_buckets()

    result = storage.probe()

    anonymous = next(one for one in result.findings if one.name == "anonymous")
    assert anonymous.detail == "refused with 403"
    assert result.ok


def test_its_certificate_has_all_that_the_strict_ask_for(behind_tls: Settings) -> None:
    """Python from 3.13 on is strict by itself, and so are the containers' programs."""
    address = urlsplit(behind_tls.s3_url)
    context = ssl.create_default_context(cafile=behind_tls.s3_ca_file)
    context.verify_flags |= ssl.VERIFY_X509_STRICT

    with (
        socket.create_connection((str(address.hostname), address.port or 443), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname=str(address.hostname)) as connection,
    ):
        assert connection.getpeercert()
