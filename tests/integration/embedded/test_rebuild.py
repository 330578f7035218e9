"""The drill full-environment: a whole environment from its backups and one key, and what is not proven by it."""


import pytest

from leitstand.backups.operations import run_backup
from leitstand.runbooks.drills import DrillResult, run_drill
from tests.lived_in import live_in
from tests.source import Source, source

__all__ = ["source"]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
NAME = "full-environment"


@pytest.fixture(scope="module")
def lived_in(source: Source, tmp_path_factory: pytest.TempPathFactory) -> Source:
    """An environment that people have worked in, with its backups."""
    live_in(source, tmp_path_factory.mktemp("events"))
    for kind in ("objects", "secrets", "postgres"):
        run_backup(source.engine, source.settings, kind)
    source.archive_now()
    return source


@pytest.fixture(scope="module")
def result(lived_in: Source) -> DrillResult:
    return run_drill(lived_in.engine, lived_in.settings, NAME, progress=print)


def test_everything_comes_back(result: DrillResult) -> None:
    print(*[(c["name"], c["verdict"], c["detail"]) for c in result.checks], sep="\n")
    print(result.figures)
    assert result.ok, result.error
