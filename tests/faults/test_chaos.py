"""Backup, archiving, the server, restore and retention killed at random moments, while rows are written.

Afterwards no acknowledged row is lost, and every backup that is there restores: the newest to the last row, the others
to the instant of their own end, right on both sides. `LEITSTAND_CHAOS_SEED` repeats the choice of victims and moments.
"""

import itertools
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import psycopg
import pytest
from sqlalchemy import select

from leitstand.backups.catalogue import COMPLETE
from leitstand.backups.operations import run_backup
from leitstand.backups.pruning import propose, prune
from leitstand.backups.restore import restore_postgres
from leitstand.db.engine import transaction
from leitstand.db.models import Backup
from leitstand.errors import LeitstandError
from leitstand.runbooks.scratch import ScratchServer
from leitstand.settings import REPOSITORY
from tests.source import Source

pytestmark = [pytest.mark.slow, pytest.mark.fault(20)]
VICTIMS = ("backup", "archiver", "server", "restore", "prune")
# Moments are spread over all of a run and a little beyond: so much longer than a whole backup just took.
BEYOND = {"backup": 1.2, "restore": 1.2, "prune": 0.6}
# Retention keeps all of fourteen days, so what it shall remove is made older than that.
AGED = timedelta(days=60)
YOUNG_ONES = 3
WAIT_SECONDS = 90
READY = "ready"
START = f"""
import sys
from pathlib import Path
from leitstand.db.engine import make_engine
from leitstand.settings import load_settings
settings = load_settings()
engine = make_engine(settings)
print("{READY}", flush=True)
"""
PROGRAMS = {
    "backup": "from leitstand.backups.operations import run_backup\nrun_backup(engine, settings, 'postgres')",
    "prune": """
from leitstand.backups.pruning import propose, prune
from leitstand.db.engine import transaction
with transaction(engine) as session:
    plan = propose(session, settings).plan.sha256
prune(engine, settings, confirmed=plan)
""",
    "restore": """
from leitstand.backups.restore import choose, restore_postgres
from leitstand.storage.objects import ObjectStorage
manifest = choose(ObjectStorage(settings), settings.bucket_backups)
restore_postgres(settings, target=Path(sys.argv[1]), manifest=manifest)
""",
}


@dataclass
class Chaos:
    """The service under load, and who kills it."""

    source: Source
    folder: Path
    seed: int
    kills: Counter[str] = field(default_factory=Counter)
    outlived: int = 0
    restored: int = 0
    backup_seconds: float = 0

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self.log = self.folder / "acknowledged"
        self.target = self.folder / "restored"

    # --- the load ---

    def start_writer(self) -> None:
        self.source.execute(
            "CREATE TABLE IF NOT EXISTS chaos (number bigint PRIMARY KEY, payload text NOT NULL)"
        )
        self.source.execute("ALTER TABLE chaos OWNER TO leitstand")
        self.source.execute("ALTER SYSTEM SET archive_timeout = '10s'")
        self.source.execute("SELECT pg_reload_conf()")
        conninfo = self.source.cluster.conninfo("leitstand", "leitstand")
        self.writer = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.chaos_writer", conninfo, str(self.log)], cwd=REPOSITORY
        )

    def stop_writer(self) -> None:
        """A restore to the latest would else run after a log that grows."""
        self.writer.kill()
        self.writer.wait()

    def acknowledged(self) -> list[tuple[int, float, float]]:
        """Number, sent and acknowledged; a last line that was cut off by a kill has no end."""
        lines = self.log.read_text().splitlines(keepends=True)
        return [
            (int(number), float(sent), float(at))
            for number, sent, at in (line.split() for line in lines if line.endswith("\n"))
        ]

    # --- the killing ---

    def victims(self, kills: int) -> list[str]:
        """Each as often as the others, in any order."""
        rounds = (self.chance.sample(VICTIMS, len(VICTIMS)) for _ in range(0, kills, len(VICTIMS)))
        return list(itertools.chain.from_iterable(rounds))[:kills]

    def strike(self, victim: str) -> None:
        if victim == "server":
            self._kill_server()
        elif victim == "archiver":
            self._kill_archiver()
        else:
            self._kill_run(victim)
        self.kills[victim] += 1

    def _start(self, name: str) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, "-c", START + PROGRAMS[name], str(self.target)],
            cwd=REPOSITORY,
            env=self.source.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert process.stdout and process.stdout.readline().strip() == READY
        return process

    def _kill_run(self, name: str) -> None:
        if name == "prune":
            self.age_the_oldest()
        process = self._start(name)
        time.sleep(self.chance.uniform(0, BEYOND[name] * self.backup_seconds))
        self.outlived += process.poll() is not None
        process.kill()
        process.communicate(timeout=WAIT_SECONDS)
        if name == "restore" and self.target.exists():
            assert (self.target / "recovery.signal").exists(), "what is there is whole"
            shutil.rmtree(self.target)

    def _kill_archiver(self) -> None:
        """The command that stores a segment, or the server's process that calls it."""
        self.source.execute("SELECT pg_logical_emit_message(false, 'chaos', 'x')")
        self.source.execute("SELECT pg_switch_wal()")
        command = self.chance.random() < 0.7
        deadline = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < deadline:
            found = [
                process for process in self._server_processes() if _is_archiver(process, command=command)
            ]
            if found:
                time.sleep(self.chance.uniform(0, 0.4))
                with suppress(psutil.NoSuchProcess):  # it was done just before
                    found[0].kill()
                break
        self.wait_for_server()

    def _server_processes(self) -> list[psutil.Process]:
        try:
            return psutil.Process(self._postmaster()).children(recursive=True)
        except (psutil.NoSuchProcess, FileNotFoundError):
            return []

    def _postmaster(self) -> int:
        return int((self.source.cluster.data / "postmaster.pid").read_text().splitlines()[0])

    def _kill_server(self) -> None:
        """Sometimes in the middle of a backup, which then fails; the next one has to succeed."""
        backup = self._start("backup") if self.chance.random() < 0.5 else None
        time.sleep(self.chance.uniform(0, BEYOND["backup"] * self.backup_seconds))
        family = self._server_processes()
        os.kill(self._postmaster(), signal.SIGKILL)
        psutil.wait_procs(family, timeout=WAIT_SECONDS)
        self._start_server()
        if backup:
            backup.communicate(timeout=WAIT_SECONDS)

    def _start_server(self) -> None:
        deadline = time.monotonic() + WAIT_SECONDS
        while True:
            try:
                self.source.cluster.start()
            except LeitstandError:
                assert time.monotonic() < deadline
                time.sleep(0.2)
            else:
                return

    def wait_for_server(self) -> None:
        self.source.cluster.wait_ready(WAIT_SECONDS)

    def age_the_oldest(self) -> None:
        """All but the newest few become old enough for retention, the newest one proven."""
        with transaction(self.source.engine) as session:
            rows = list(session.scalars(_complete()))
            for row in rows[:1]:
                row.verified_at = row.finished_at
            for row in rows[YOUNG_ONES:]:
                if datetime.now(UTC) - row.started_at < AGED:
                    row.started_at, row.finished_at = (
                        row.started_at - AGED,
                        (row.finished_at or row.started_at) - AGED,
                    )

    # --- the recovery ---

    def back_up(self) -> None:
        """One that nobody kills, and how long it takes on this machine now."""
        began = time.monotonic()
        run_backup(self.source.engine, self.source.settings, "postgres")
        self.backup_seconds = time.monotonic() - began

    def recover(self) -> None:
        """The next run of each succeeds, whatever was killed before."""
        self.back_up()
        self.age_the_oldest()
        with transaction(self.source.engine) as session:
            plan = propose(session, self.source.settings).plan.sha256
        prune(self.source.engine, self.source.settings, confirmed=plan)

    def kept(self) -> list[Backup]:
        """Newest first."""
        with transaction(self.source.engine) as session:
            return list(session.scalars(_complete()))

    def rows_of(self, backup: Backup, to_time: datetime | None) -> set[int]:
        """The rows of a restore, as the restored server gives them."""
        folder = self.folder / f"proof-{self.restored}"
        folder.mkdir()
        server = ScratchServer(folder, folder / "data")
        try:
            restore_postgres(
                self.source.settings, target=folder / "data", manifest=backup.manifest, to_time=to_time
            )
            server.start()
            with psycopg.connect(server.conninfo("leitstand")) as connection:
                return {number for (number,) in connection.execute("SELECT number FROM chaos")}
        finally:
            server.stop()
            self.restored += 1
            shutil.rmtree(folder)


def _complete() -> "select[tuple[Backup]]":
    query = select(Backup).where(Backup.kind == "postgres", Backup.status == COMPLETE)
    return query.order_by(Backup.manifest["finished_at"].as_string().desc())


def _is_archiver(process: psutil.Process, *, command: bool) -> bool:
    try:
        words = " ".join(process.cmdline())
    except psutil.Error:
        return False
    return ("leitstand.backups.archive" in words) if command else words.startswith("postgres: archiver")


@pytest.fixture
def chaos(source: Source, tmp_path: Path) -> Iterator[Chaos]:
    seed = int(os.environ.get("LEITSTAND_CHAOS_SEED") or random.SystemRandom().randrange(10**6))
    running = Chaos(source, tmp_path, seed)
    running.start_writer()
    yield running
    running.stop_writer()


@pytest.mark.parametrize(
    "kills",
    [
        pytest.param(5, marks=pytest.mark.timeout(600)),
        pytest.param(100, marks=[pytest.mark.long, pytest.mark.timeout(7200)]),
    ],
)
def test_killed_at_random_moments_under_load(
    chaos: Chaos, kills: int, capsys: pytest.CaptureFixture[str]
) -> None:
    def say(line: str) -> None:
        with capsys.disabled():
            print(f"\nchaos: {line}", end="", flush=True)

    say(f"seed {chaos.seed}, {kills} kills")
    chaos.back_up()
    for number, victim in enumerate(chaos.victims(kills)):
        chaos.strike(victim)
        if number % 10 == 9:
            chaos.recover()
            say(f"{number + 1} kills, {len(chaos.acknowledged())} rows acknowledged")
    chaos.recover()
    chaos.stop_writer()
    judged = judge(chaos)
    say(
        f"{dict(chaos.kills)}, {chaos.outlived} ended before their kill; {judged} rows acknowledged, none lost;"
        f" {chaos.restored} backups restored\n"
    )


def judge(chaos: Chaos) -> int:
    """Nothing acknowledged is lost, here and in every restore; gives the number of acknowledged rows."""
    acknowledged = chaos.acknowledged()
    chaos.source.archive_now()
    numbers = {number for number, _, _ in acknowledged}
    with psycopg.connect(chaos.source.cluster.conninfo("leitstand")) as connection:
        there = {number for (number,) in connection.execute("SELECT number FROM chaos")}
    assert numbers <= there, f"seed {chaos.seed}: lost in the live database: {sorted(numbers - there)[:10]}"
    newest, *older = chaos.kept()
    assert older, "there is more than one"
    lost = numbers - chaos.rows_of(newest, None)
    assert not lost, f"seed {chaos.seed}: lost in the restore to the latest: {sorted(lost)[:10]}"
    for backup in older:
        _judge_older(chaos, backup, acknowledged)
    return len(numbers)


def _judge_older(chaos: Chaos, backup: Backup, acknowledged: list[tuple[int, float, float]]) -> None:
    """As of the instant of its end, right on both sides; one that retention has left its own log alone restores that."""
    finished = datetime.fromisoformat(backup.manifest["finished_at"])
    begun = datetime.fromisoformat(backup.manifest["counted_at"])
    try:
        found, known = chaos.rows_of(backup, finished), finished
        late = {number for number, sent, _ in acknowledged if sent > finished.timestamp()} & found
    except LeitstandError:
        assert backup.finished_at != finished, (
            f"seed {chaos.seed}: backup {backup.id} has lost the log after it"
        )
        found, known, late = chaos.rows_of(backup, None), begun, set()
    lost = {number for number, _, when in acknowledged if when <= known.timestamp()} - found
    assert not lost, f"seed {chaos.seed}: backup {backup.id} lacks {sorted(lost)[:10]}"
    assert not late, f"seed {chaos.seed}: backup {backup.id} has {sorted(late)[:10]}"
