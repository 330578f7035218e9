"""The restore drill, as `leitstand drill run` runs it."""

import pytest

from leitstand.backups.catalogue import last_proven, list_drills
from leitstand.db.engine import transaction
from leitstand.db.models import Backup
from leitstand.runbooks.drills import run_drill
from tests.integration.backups.conftest import Source


@pytest.mark.slow
def test_the_newest_backup_is_restored_and_proven(source: Source) -> None:
    told: list[str] = []
    result = run_drill(source.engine, source.settings, "postgres-latest", progress=told.append)
    assert result.ok, result.error
    print(result.to_dict(), told)
