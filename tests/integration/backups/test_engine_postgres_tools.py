"""PostgreSQL's own tools keep the contract of backup engines."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from leitstand.backups.engines.registry import chosen
from leitstand.db.cluster import Cluster
from leitstand.services import POSTGRES
from tests.integration.backups.contract import EngineContract, Rig
from tests.services import free_base_port
from tests.source import PASSWORD, Source

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@contextmanager
def started(target: Path) -> Iterator[str]:
    cluster = Cluster(target, free_base_port() + POSTGRES.offset, PASSWORD)
    with (target / "postgresql.auto.conf").open("a") as configuration:
        configuration.write("archive_mode = off\nhot_standby = off\n")
    cluster.start()
    try:
        cluster.wait_ready()
        yield cluster.conninfo("leitstand")
    finally:
        cluster.stop("immediate")


class TestOwnTools(EngineContract):
    name = "postgres-tools"

    @pytest.fixture(scope="class")
    def rig(self, source: Source) -> Iterator[Rig]:
        source.execute("ALTER SYSTEM SET track_commit_timestamp = on")
        source.cluster.stop()
        source.cluster.start()
        source.engine.dispose()
        nowhere = source.settings.model_copy(update={"s3_endpoint": "http://127.0.0.1:9"})

        @contextmanager
        def store_down() -> Iterator[None]:
            """What the command reads names a store that does not answer."""
            chosen(nowhere).archive_command(nowhere)
            yield
            chosen(source.settings).archive_command(source.settings)

        conninfo = source.cluster.conninfo("leitstand")
        yield Rig(source.settings, source.engine, source.engine, conninfo, started, store_down)
