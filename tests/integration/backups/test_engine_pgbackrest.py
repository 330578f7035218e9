"""pgBackRest keeps the contract of backup engines."""

from collections.abc import Iterator

import pytest

from tests.integration.backups.contract import EngineContract, Rig
from tests.pgbackrest import PgBackRestRig, needs_pgbackrest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), needs_pgbackrest]


class TestPgBackRest(EngineContract):
    name = "pgbackrest"

    @pytest.fixture(scope="class")
    def rig(self, pgbackrest_rig: PgBackRestRig) -> Iterator[Rig]:
        yield pgbackrest_rig
