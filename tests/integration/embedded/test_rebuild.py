"""The drill full-environment: a whole environment from its backups and one key, and what is not proven by it."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from leitstand.backups import keys, wal
from leitstand.backups.catalogue import newest_complete
from leitstand.backups.inventory import data_key
from leitstand.backups.operations import run_backup
from leitstand.backups.places import PLACES
from leitstand.db.engine import transaction
from leitstand.embedded.environment import Environment
from leitstand.embedded.rebuild.drill import FullEnvironmentDrill
from leitstand.embedded.rebuild.steps import newest_copy
from leitstand.errors import PreconditionFailed
from leitstand.runbooks import scratch
from leitstand.runbooks.drills import DrillResult, run_drill
from leitstand.runbooks.source_point import measure
from leitstand.runbooks.taking_up import TakenUp
from leitstand.settings import REPOSITORY, Settings
from tests.lived_in import DOCUMENT, live_in
from tests.services import free_base_port
from tests.source import Source, source

__all__ = ["source"]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
NAME = "full-environment"
APART = (
    "the target shares neither database nor store", "the original's archive has nothing of the copy",
    "its own archive has its log", "it has begun no flow and no job", "every object is back", "counts", "clean-up",
)  # fmt: skip
SMOKE = (
    "every service is ready", "every service lives", "a restored member signs in", "the first page opens",
    "the catalogue lists restored items", "figures are as they were", "documents are as they were", "a question is answered",
)  # fmt: skip


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


@pytest.mark.long
def test_everything_comes_back(lived_in: Source, result: DrillResult) -> None:
    assert result.ok, result.error
    verdicts = {check["name"]: check["verdict"] for check in result.checks}
    assert {verdicts[name] for name in SMOKE} == {"passed"}
    assert {verdicts[name] for name in APART} == {"passed"}
    assert result.rto_seconds and result.rto_seconds >= sum(
        result.figures["steps"][name] for name in ("secrets", "database", "recovery", "objects", "services")
    )
    assert result.rpo_seconds is not None and result.figures["rpo_objects_seconds"] == 0
    with transaction(lived_in.engine) as session:
        for kind in ("secrets", "objects", "postgres"):
            backup = newest_complete(session, kind)
            assert backup and backup.verified_at, f"{kind} is proven"


@pytest.mark.long
def test_nothing_is_left_and_the_original_is_as_it_was(lived_in: Source, result: DrillResult) -> None:
    root = scratch.scratch_root(lived_in.settings)
    assert list(root.iterdir()) == [] and scratch.supervised_in(root) == []
    assert lived_in.one("SELECT count(*) FROM user_session") == 0, "nobody signed in here"
    names = {info.key.rpartition("/")[2][:8] for info in lived_in.storage.list(
        lived_in.settings.bucket_backups, wal.prefix(str(lived_in.one("SELECT system_identifier FROM pg_control_system()")))
    )}  # fmt: skip
    assert names == {"00000001"}, "no other timeline is in its archive"


# --- what is not proven; the drill's own steps in this process ---


@pytest.fixture
def drill(lived_in: Source, tmp_path: Path) -> Iterator[FullEnvironmentDrill]:
    """The drill on the newest backups, not yet begun."""
    own = scratch.make_folder(lived_in.settings, tmp_path.name)
    work = TakenUp(lived_in.settings, lived_in.engine, own, False, ExitStack())
    with transaction(lived_in.engine) as session:
        found = {kind: newest_complete(session, kind) for kind in ("secrets", "objects", "postgres")}
    backups = {kind: backup for kind, backup in found.items() if backup}
    made = FullEnvironmentDrill(work, backups, measure(lived_in.engine))
    yield made
    made.close()
    scratch.remove(own)


@contextmanager
def gone(source: Source, key: str) -> Iterator[None]:
    """An object of the bucket of backups that is not there for a while."""
    bucket = source.settings.bucket_backups
    kept, content = source.storage.head(bucket, key).metadata, source.storage.get_bytes(bucket, key)
    source.storage.delete(bucket, key)
    try:
        yield
    finally:
        source.storage.put_bytes(bucket, key, content, metadata=kept)


@pytest.mark.long
def test_a_gap_in_the_log_and_a_lost_copy_are_not_proven(
    lived_in: Source, drill: FullEnvironmentDrill
) -> None:
    """Recovery ends at the gap as if that were the end of the log, and the store still lists the object."""
    system = drill.backups["postgres"].manifest["system_identifier"]
    lived_in.add_workspace("behind-the-gap")
    segment = wal.key(system, lived_in.archive_now())
    lived_in.add_workspace("still-later")
    lived_in.archive_now()
    copy = data_key(hashlib.sha256(DOCUMENT).hexdigest())
    with gone(lived_in, segment), gone(lived_in, copy):
        for step in (
            drill.identity,
            drill.preconditions,
            drill.plan,
            drill.restore_keys,
            drill.restore_postgres,
        ):
            step()
        drill.restore_objects()
    failures = "; ".join(drill.failures)
    assert "recovered to the end of the archived log" in failures
    assert "every object is back" in failures


@pytest.mark.long
def test_another_key_is_not_proven(drill: FullEnvironmentDrill, tmp_path: Path) -> None:
    from pyrage import x25519

    drill.key_file = drill.rebuild.key_file = tmp_path / "other.agekey"
    drill.key_file.write_text(str(x25519.Identity.generate()))
    drill.preconditions()
    assert [one.partition(":")[0] for one in drill.failures] == [
        f"the key opens the {kind}" for kind in ("secrets", "objects", "postgres")
    ]
    with pytest.raises(PreconditionFailed):
        drill.restore_keys()
    assert not drill.environment.data_dir.exists()


# --- the runbook, on a machine that has nothing ---


@dataclass
class NewServer:
    """An empty folder with ports of its own, a sealed copy and a key; no database answers."""

    folder: Path
    port: int
    copy: Path
    key: Path
    origin: Settings

    @property
    def environment(self) -> Environment:
        return Environment(self.folder, self.port)

    def variables(self) -> dict[str, str]:
        clean = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("LEITSTAND_", "PYTEST_"))
        }
        buckets = {f"LEITSTAND_{place.setting.upper()}": place.bucket(self.origin) for place in PLACES}
        return {**clean, **buckets, **self.environment.variables()}

    def run(self, *parameters: str, name: str = "") -> Any:
        """`leitstand runbook run rb040`, and the document that it prints."""
        given = {"copy": self.copy, "key_file": self.key, "origin": self.origin.s3_url}
        words = [word for one, value in given.items() for word in ("-p", f"{one}={value}")]
        words += [word for parameter in parameters for word in ("-p", parameter)]
        done = self.command("runbook", "run", "rb040", *words, *(["--yes", name] if name else []), "--json")
        assert done.stdout, done.stderr
        return json.loads(done.stdout)

    def command(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "leitstand", *arguments],
            env=self.variables(), cwd=REPOSITORY, capture_output=True, text=True, check=False,
        )  # fmt: skip


@pytest.fixture
def new_server(lived_in: Source) -> Iterator[NewServer]:
    folder = Path(tempfile.mkdtemp(prefix="leitstand-new-"))
    copy = newest_copy(lived_in.settings)
    assert copy
    key = keys.keys_dir(lived_in.settings) / keys.OFFLINE
    server = NewServer(folder, free_base_port(), copy, key, lived_in.settings)
    yield server
    server.command("down")
    shutil.rmtree(folder, ignore_errors=True)


def confirmed(dry: Any) -> tuple[str, ...]:
    return ("dry_run=false", f"plan_sha256={dry['figures']['plan_sha256']}", "decided_by=Olga")


@pytest.mark.long
def test_nothing_is_written_by_a_dry_run_or_while_the_old_server_lives(new_server: NewServer) -> None:
    dry = new_server.run()
    assert dry["ok"], dry["error"]
    refused = new_server.run(*confirmed(dry), name="embedded")
    assert "still writes its log" in refused["error"], "the source's newest segment is seconds old"
    environment = new_server.environment
    assert not environment.postgres_dir.exists() and not environment.secrets_dir.exists()


@pytest.mark.long
def test_a_new_server_from_a_copy_and_a_key(new_server: NewServer) -> None:
    """For real, without a database to begin with; the same again finds everything there."""
    dry = new_server.run()
    real = new_server.run(*confirmed(dry), "old_is_off=true", name="embedded")
    assert real["ok"], real["error"]
    verdicts = {check["name"]: check["verdict"] for check in real["checks"]}
    assert {verdicts[name] for name in SMOKE} == {"passed"}
    again = new_server.run(*confirmed(dry), name="embedded")
    assert again["ok"], again["error"]
    assert again["figures"]["plan_sha256"] == dry["figures"]["plan_sha256"]
