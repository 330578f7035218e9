"""What a rebuilt environment shares with its original, what an attempt before it left, and how early is too early."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from leitstand.embedded.environment import Environment
from leitstand.embedded.rebuild import steps
from leitstand.embedded.rebuild.drill import FullEnvironmentDrill
from leitstand.embedded.rebuild.steps import Rebuild, Recovered
from leitstand.runbooks.evidence import Evidence
from leitstand.settings import Settings

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_a_copy_archives_with_our_own_tools_as_it_has_no_key_of_another_engine() -> None:
    assert steps.apart(Settings(backup_engine="pgbackrest")).backup_engine == "postgres-tools"


def test_increments_that_an_attempt_before_unpacked_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "restore_postgres", lambda *_, **__: None)
    monkeypatch.setattr(Rebuild, "end_leftovers", lambda _: None)
    environment, settings = Environment(tmp_path, 9000), Settings(data_dir=tmp_path)
    for name in ("postgres.restoring", "postgres.restoring.chain", "postgres.access"):
        (tmp_path / name / "000").mkdir(parents=True)
    assert Rebuild(environment, settings, settings, tmp_path / "key").restore_postgres({})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("behind", "verdict"), [(0.0, "passed"), (0.00001, "passed"), (1.0, "failed"), (None, "passed")]
)
def test_commits_that_swap_places_are_no_recovery_that_stopped_early(
    tmp_path: Path, behind: float | None, verdict: str
) -> None:
    made = FullEnvironmentDrill.__new__(FullEnvironmentDrill)
    made.evidence = Evidence(tmp_path / "evidence.json")
    recovered = Recovered({"stop_lsn": "0/10"}, AT, "0/20", cast(Any, None), {}, frozenset())
    made._check_recovered(recovered, None if behind is None else AT + timedelta(seconds=behind))
    assert made.evidence.checks[-1].verdict == verdict
