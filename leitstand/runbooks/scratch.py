"""The folder in which a drill restores, and the PostgreSQL that runs in it: reachable by a private socket alone.

The scratch server opens no TCP port and has no password: whoever can't enter its socket's folder (mode 0700) can't
reach it, and nothing that knows the live server's address can take one for the other. A drill that was killed leaves
its folder and perhaps its processes; the next one ends those by what is written in their command lines, the folder's
own unmistakable name, and removes the folder.
"""

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import psutil

from leitstand.db.cluster import bin_dir, give_away, unprivileged
from leitstand.errors import PreconditionFailed
from leitstand.services import MARK
from leitstand.settings import Settings
from leitstand.telemetry.logs import get_logger
from leitstand.words import msg

PREFIX = "drill-"
SOCKETS = "leitstand-drill-"
ELSEWHERE = "sockets-elsewhere.json"
ENVIRONMENT_FILE = "environment.json"
PROGRAMS = {"postgres", "pg_combinebackup", "pg_verifybackup"}
START_SECONDS = 4 * 3600
ENDING_SECONDS = 10
CHECKPOINT_SECONDS = 600
# For data that will be used: nothing is lost in a power cut, and what is to be archived waits for the real server.
TO_BE_USED = {"fsync": "on", "archive_mode": "on", "archive_command": "", "archive_library": ""}
OUTPUT_SHOWN = 600
OPTIONS = {
    "listen_addresses": "",
    "archive_mode": "off",
    "hot_standby": "off",
    "primary_conninfo": "",
    "shared_preload_libraries": "",
    "shared_buffers": "64MB",
    "huge_pages": "off",
    "ssl": "off",
    "autovacuum": "off",
    "track_commit_timestamp": "on",
    "fsync": "off",
    "logging_collector": "off",
    "log_destination": "stderr",
    "external_pid_file": "",
    "cluster_name": "leitstand-drill",
}

log = get_logger("drills")


def scratch_root(settings: Settings) -> Path:
    """Folder of every drill's folder."""
    return settings.data_dir / "scratch"


def make_folder(settings: Settings, run_id: str) -> Path:
    """A new, private folder for one drill."""
    folder = scratch_root(settings).resolve() / f"{PREFIX}{run_id}"
    folder.mkdir(parents=True, mode=0o700)
    return folder


def remove_leftovers(settings: Settings) -> list[str]:
    """End and remove what killed drills left; only called by who holds the drills' lock. Gives the folders' names."""
    removed = []
    for folder in sorted(scratch_root(settings).resolve().glob(f"{PREFIX}*")):
        log.warning("removing the rest of a killed drill", folder=folder.name)
        remove(folder)
        removed.append(folder.name)
    return removed


def remove(folder: Path) -> None:
    """End every process that works in the folder, and remove it with its sockets."""
    remove_environments(folder)
    for process in processes_in(folder):
        _end(process)
    for sockets in _socket_folders(folder):
        shutil.rmtree(sockets, ignore_errors=True)
    for socket in _noted_sockets(folder):
        socket.unlink(missing_ok=True)
    _remove_whole(folder)


def remove_environments(folder: Path) -> None:
    """End every process of the environments that were made in the folder, and remove their data.

    All at once, as nothing of it is wanted: a supervisor would start again what ends before it.
    """
    members = supervised_in(folder)
    for process in members:
        with suppress(psutil.NoSuchProcess):
            # Only a server that is told to end takes its shared memory with it.
            process.send_signal(signal.SIGQUIT if process.name() == "postgres" else signal.SIGKILL)
    _, alive = psutil.wait_procs(members, timeout=ENDING_SECONDS)
    for process in alive:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(alive, timeout=ENDING_SECONDS)
    for data in {path.parent for path in folder.glob(f"**/{ENVIRONMENT_FILE}")} - {folder}:
        _remove_whole(data)


def _remove_whole(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    if folder.exists():  # a process wrote while it was ended
        shutil.rmtree(folder)


def supervised_in(folder: Path) -> list[psutil.Process]:
    """The processes of environments whose data lie in the folder, by the mark in their own environment."""
    found = []
    for process in psutil.process_iter():
        try:
            mark = process.environ().get(MARK, "")
        except (psutil.Error, OSError):
            continue
        if mark and _names(mark, folder) and process.pid != os.getpid():
            found.append(process)
    return found


def note_sockets(folder: Path, sockets: list[Path]) -> None:
    """Keep the names of the sockets that an environment in the folder has elsewhere, so that they go with it."""
    (folder / ELSEWHERE).write_text(json.dumps([str(path) for path in sockets]))


def _noted_sockets(folder: Path) -> list[Path]:
    """Only what is a socket, whatever the file says."""
    try:
        paths = [Path(name) for name in json.loads((folder / ELSEWHERE).read_text())]
    except (OSError, ValueError):
        return []
    return [path for path in paths if path.is_socket()]


def processes_in(folder: Path) -> list[psutil.Process]:
    """The folder's server, the kernel of its notebook, PostgreSQL's tools at work on it: nothing else, were it an editor."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        ours = "ipykernel_launcher" in words or (words and Path(words[0]).name in PROGRAMS)
        here = any(_names(word, folder) for word in words) or _works_in(process, folder)
        if ours and process.pid != os.getpid() and here:
            found.append(process)
    return found


def _works_in(process: psutil.Process, folder: Path) -> bool:
    """A kernel's command line names a file of /tmp alone; what it has of the folder is that it was started there."""
    try:
        return process.cwd() == str(folder)
    except psutil.Error:
        return False


def _names(word: str, folder: Path) -> bool:
    return word == str(folder) or f"{folder}/" in word


def _end(process: psutil.Process) -> None:
    """Ask it to end (a server ends its children), then kill it and what it left."""
    try:
        children = process.children(recursive=True)
        process.send_signal(signal.SIGQUIT if "postgres" in process.name() else signal.SIGTERM)
        _, alive = psutil.wait_procs([process, *children], timeout=ENDING_SECONDS)
        for survivor in alive:
            survivor.kill()
        psutil.wait_procs(alive, timeout=ENDING_SECONDS)
    except psutil.NoSuchProcess:
        return


def _socket_folders(folder: Path) -> list[Path]:
    record = folder / "sockets.json"
    try:
        path = Path(json.loads(record.read_text())["folder"])
    except (OSError, ValueError, KeyError):
        return []
    return (
        [path]
        if path.name.startswith(SOCKETS) and path.parent == Path(tempfile.gettempdir()).resolve()
        else []
    )


@dataclass
class ScratchServer:
    """PostgreSQL on a restored folder.

    Args:
        folder: the drill's folder.
        data: the restored data folder in it.
        options: settings of the server that differ from `OPTIONS`.
        marks: variables by which its process is found again.
    """

    folder: Path
    data: Path
    options: dict[str, str] = field(default_factory=dict)
    marks: dict[str, str] = field(default_factory=dict)
    sockets: Path = field(default_factory=Path)
    process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        """Start it and wait until recovery has ended and it takes connections.

        Raises:
            PreconditionFailed: it ended by itself; the message holds what it said.
        """
        self.sockets = Path(tempfile.mkdtemp(prefix=SOCKETS)).resolve()
        (self.folder / "sockets.json").write_text(json.dumps({"folder": str(self.sockets)}))
        access = self.folder / "pg_hba.conf"
        access.write_text("local all all trust\n")
        options = {
            **OPTIONS,
            **self.options,
            "unix_socket_directories": str(self.sockets),
            "unix_socket_permissions": "0700",
            "hba_file": str(access),
        }
        argv = [str(bin_dir() / "postgres"), "-D", str(self.data)]
        for name, value in options.items():
            argv += ["-c", f"{name}={value}"]
        for path in (self.sockets, access, self.data):
            give_away(path)
        with self.log.open("ab") as log_file:
            self.process = subprocess.Popen(
                unprivileged(argv, self.data),
                env={**os.environ, **self.marks},
                stdin=subprocess.DEVNULL,
                stdout=log_file,
                stderr=log_file,
                cwd=self.folder,
            )
        self._wait_until_recovered()

    @property
    def log(self) -> Path:
        return self.folder / "server.log"

    def _wait_until_recovered(self) -> None:
        import psycopg

        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.process is None or self.process.poll() is not None:
                raise PreconditionFailed(msg("The restored server did not start: {said}", said=self.said()))
            try:
                with psycopg.connect(self.conninfo("postgres"), connect_timeout=5) as connection:
                    row = connection.execute("SELECT pg_is_in_recovery()").fetchone()
                if row == (False,):
                    return
            except psycopg.OperationalError:
                pass
            time.sleep(0.1)
        raise PreconditionFailed(
            msg(
                "The restored server did not end its recovery within {start_seconds} s: {said}",
                start_seconds=START_SECONDS,
                said=self.said(),
            )
        )

    def said(self) -> str:
        """The end of its log."""
        return self.log.read_text(errors="replace")[-OUTPUT_SHOWN:].strip() if self.log.exists() else ""

    def conninfo(self, database: str, user: str = "postgres") -> str:
        """libpq's connection string, without a password because there is none."""
        import psycopg.conninfo

        return psycopg.conninfo.make_conninfo(host=str(self.sockets), port=5432, user=user, dbname=database)

    def url(self, database: str, user: str) -> str:
        """SQLAlchemy's address of it."""
        from urllib.parse import quote

        return f"postgresql+psycopg://{quote(user, safe='')}@/{quote(database, safe='')}?host={quote(str(self.sockets), safe='')}&port=5432"

    def environment(self) -> dict[str, str]:
        """Environment of client programs that work as the superuser."""
        return {**os.environ, "PGHOST": str(self.sockets), "PGPORT": "5432", "PGUSER": "postgres"}

    def run(self, program: str, *arguments: str) -> str:
        """Run a client program as the superuser against it; gives what it printed.

        Raises:
            PreconditionFailed: it failed.
        """
        done = subprocess.run(
            [str(bin_dir() / program), *arguments],
            env=self.environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise PreconditionFailed(
                msg(
                    "{program} failed: {value}",
                    program=program,
                    value=(done.stdout + done.stderr).strip()[-OUTPUT_SHOWN:],
                )
            )
        return done.stdout

    def stop(self, *, graceful: bool = False) -> None:
        """Stop it and remove its sockets; gracefully (with a last checkpoint) when its data will be used."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT if graceful else signal.SIGQUIT)
            try:
                self.process.wait(CHECKPOINT_SECONDS if graceful else ENDING_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self.sockets.name.startswith(SOCKETS):
            shutil.rmtree(self.sockets, ignore_errors=True)


def refuse_live_target(target: Path, *, root: Path, live_data: str) -> None:
    """A drill restores into its own scratch folder and nowhere else.

    Args:
        live_data: data folder of the source, as the source itself says.

    Raises:
        PreconditionFailed: the target is, holds or lies in the live data, holds a cluster, or is not under `root`.
    """
    target, live = target.resolve(), Path(live_data).resolve()
    if target == live or live in target.parents or target in live.parents:
        raise PreconditionFailed(
            msg("{target} is where the live data lies: a drill never writes there.", target=target)
        )
    if root.resolve() not in target.parents:
        raise PreconditionFailed(
            msg("{target} is not under {root}: a drill restores only there.", target=target, root=root)
        )
    if (target / "PG_VERSION").exists() or (target / "postmaster.pid").exists():
        raise PreconditionFailed(
            msg("{target} holds a cluster: a drill restores into an empty folder.", target=target)
        )


def is_run_id(text: str) -> bool:
    """Whether it names a drill: a UUID, or the word for the notebook that runs by itself."""
    try:
        return text == "sandbox" or str(UUID(text)) == text
    except ValueError:
        return False
