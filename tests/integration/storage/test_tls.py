"""A store behind TLS with a certificate of its own authority, as staging has one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from leitstand.services import POSTGRES
from leitstand.settings import Settings
from leitstand.storage.objects import ObjectStorage
from tests.pgbackrest import settings_of, tls_store
from tests.services import free_base_port

pytestmark = pytest.mark.slow


@pytest.fixture
def behind_tls(tmp_path: Path) -> Iterator[Settings]:
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
