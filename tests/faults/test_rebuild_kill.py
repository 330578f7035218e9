"""The drills of a random instant and of the whole, killed: the next drill of any kind ends and removes what they left.

The rebuilt environment runs in a session of its own, under a supervisor that starts again what ends.
"""

import signal
import socket
from collections.abc import Collection, Iterator
from pathlib import Path

import psutil
import pytest

from leitstand.backups.catalogue import list_drills
from leitstand.backups.operations import run_backup
from leitstand.db.engine import transaction
from leitstand.embedded.environment import Environment
from leitstand.embedded.objects import ObjectStore
from leitstand.embedded.supervisor import Supervisor
from leitstand.runbooks import scratch
from leitstand.runbooks.drills import run_drill
from tests.faults.test_drill_kill import Running
from tests.source import Source
from tests.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
RANDOM, WHOLE, QUICK = "postgres-random-time", "full-environment", "objects-sample"


@pytest.fixture(scope="module")
def backed_up(source: Source) -> Source:
    """A source with an object and backups; a window of instants."""
    source.storage.put_bytes(source.settings.bucket_media, "documents/a", b"a document")
    for kind in ("postgres", "objects", "secrets"):
        run_backup(source.engine, source.settings, kind)
    source.add_workspace("in-the-window")
    source.add_workspace("after-it")
    source.archive_now()
    return source


@pytest.fixture
def running(backed_up: Source, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Running]:
    before = (
        backed_up.one("SELECT pg_postmaster_start_time()"),
        backed_up.one("SELECT count(*) FROM workspace"),
    )
    drill = Running(backed_up, backed_up.settings, tmp_path / "said.log", request.param)
    yield drill
    drill.close()
    after = (
        backed_up.one("SELECT pg_postmaster_start_time()"),
        backed_up.one("SELECT count(*) FROM workspace"),
    )
    assert before == after, "the live service was touched"


def killed(running: Running, spared: Collection[psutil.Process] = ()) -> None:
    running.kill(spared)
    assert running.process.wait(30) == -signal.SIGKILL


def assert_cleared_by_the_next(source: Source) -> None:
    """Another drill succeeds, and nothing of the killed one is left."""
    root = scratch.scratch_root(source.settings)
    assert list(root.iterdir()), "it was killed with its folder"
    result = run_drill(source.engine, source.settings, QUICK)
    assert result.ok, result.error
    with transaction(source.engine) as session:
        assert [drill.status for drill in list_drills(session, limit=2)] == ["passed", "failed"]
    assert list(root.iterdir()) == []
    assert scratch.supervised_in(root) == []
    assert not [
        process
        for process in psutil.process_iter(["cmdline"])
        if any(str(root) in word for word in process.info["cmdline"] or [])
    ]


@pytest.mark.parametrize("running", [RANDOM], indirect=True)
@pytest.mark.parametrize(
    "step", ["Both sides", *(pytest.param(one, marks=pytest.mark.long) for one in ("Restore", "Clean-up"))]
)
def test_a_random_instant_killed(backed_up: Source, running: Running, step: str) -> None:
    running.wait_for_step(step)
    killed(running)
    assert_cleared_by_the_next(backed_up)


@pytest.mark.long
@pytest.mark.parametrize("running", [WHOLE], indirect=True)
@pytest.mark.parametrize("step", ["The database", "The objects", "Smoke test", "Clean-up"])
def test_the_whole_killed_at_a_step(backed_up: Source, running: Running, step: str) -> None:
    running.wait_for_step(step)
    killed(running)
    assert_cleared_by_the_next(backed_up)


@pytest.mark.long
@pytest.mark.parametrize("running", [WHOLE], indirect=True)
def test_the_whole_killed_while_its_services_start(backed_up: Source, running: Running) -> None:
    """They go on without the drill, and hold ports and sockets, until the next one ends them."""
    running.wait_for_step("The services")
    root = scratch.scratch_root(backed_up.settings)
    environment = wait_until(lambda: begun_in(root))
    wait_until(lambda: listens(environment), limit=240)
    killed(running, spared=scratch.supervised_in(root))
    assert scratch.supervised_in(root), "the copy outlives its drill"
    assert_cleared_by_the_next(backed_up)
    assert not listens(environment)
    store = ObjectStore(environment.objects_dir, environment.port, "", "")
    assert not [path for path in [*store.sockets(), Supervisor(environment).socket] if path.exists()]


def begun_in(root: Path) -> Environment | None:
    """The environment whose supervisor answers."""
    for folder in root.glob("drill-*/environment"):
        found = Environment(folder, int(Environment(folder, 0).recall().get("port", 0)))
        if found.port and Supervisor(found).running():
            return found
    return None


def listens(environment: Environment) -> bool:
    """Whether its proxy takes connections."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", environment.port)) == 0
