"""A run that a service started does not stop that service."""

from pathlib import Path
from typing import Any

import pytest

from leitstand.embedded.compromise_runbook import Compromise
from leitstand.embedded.environment import locate
from leitstand.embedded.queue_runbook import StuckQueue
from leitstand.embedded.release_runbook import FailedRelease
from leitstand.embedded.rotation_runbook import RotateEverything
from leitstand.embedded.switching import refuse_inside
from leitstand.errors import PreconditionFailed
from leitstand.runbooks.confirming import Confirmed
from leitstand.runbooks.kernels import notebook_environment
from leitstand.services import MARK
from leitstand.settings import Settings


def test_the_mark_of_the_service_reaches_the_notebook_and_refuses_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = locate(tmp_path, 4200)
    monkeypatch.setenv(MARK, str(environment.data_dir))
    monkeypatch.setenv("LEITSTAND_SOMETHING", "else")
    seen = notebook_environment(Settings(data_dir=tmp_path), tmp_path)
    assert "LEITSTAND_SOMETHING" not in seen
    monkeypatch.setenv(MARK, seen[MARK])
    with pytest.raises(PreconditionFailed, match="started by a service"):
        refuse_inside(environment)


@pytest.mark.parametrize(
    ("runbook", "step"),
    [
        (FailedRelease, "carry_out"),
        (RotateEverything, "rotate"),
        (Compromise, "freeze"),
        (StuckQueue, "carry_out"),
    ],
)
def test_every_step_that_stops_services_asks_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, runbook: type[Confirmed], step: str
) -> None:
    begun: Any = object.__new__(runbook)
    begun.for_real, begun.environment = True, locate(tmp_path, 4200)
    begun.given = {"rotate": "", "restart_worker": True}
    monkeypatch.setenv(MARK, str(begun.environment.data_dir))
    with pytest.raises(PreconditionFailed, match="started by a service"):
        getattr(begun, step)()


@pytest.mark.parametrize("mark", ["", "/another/environment"])
def test_a_run_from_a_terminal_or_of_another_environment_may(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mark: str
) -> None:
    monkeypatch.setenv(MARK, mark)
    refuse_inside(locate(tmp_path, 4200))
