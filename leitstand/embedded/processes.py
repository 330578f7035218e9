"""The processes of one environment: known by pid files in its folder, never by name.

A pid alone is no identity, because the system reuses it: a pid file also holds when the process started.
"""

import json
import os
import signal
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from leitstand.births import birth
from leitstand.embedded.environment import write_private

PROC = Path("/proc")
POLL_SECONDS = 0.05


@dataclass(frozen=True)
class Known:
    """A process that a pid file names.

    Args:
        name: the service.
        pid: also the id of its process group.
        born: `birth` of the process when the file was written.
    """

    name: str
    pid: int
    born: str

    def alive(self) -> bool:
        """Whether this very process still runs."""
        return bool(self.born) and birth(self.pid) == self.born

    def signal(self, number: int, *, group: bool = False) -> None:
        """Send a signal, if it still is the same process."""
        if not self.alive():
            return
        try:
            if group and os.getpgid(self.pid) == self.pid:
                os.killpg(self.pid, number)
            else:
                os.kill(self.pid, number)
        except ProcessLookupError:
            return


def record(folder: Path, name: str, pid: int | None = None) -> None:
    """Write the pid file of a process (the calling one by default); what it executes later keeps pid and birth."""
    pid = os.getpid() if pid is None else pid
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_private(folder / f"{name}.json", json.dumps({"pid": pid, "born": birth(pid)}))


def known(folder: Path) -> list[Known]:
    """What the pid files say, dead or alive."""
    found = []
    for path in sorted(folder.glob("*.json")):
        try:
            content = json.loads(path.read_text())
            found.append(Known(path.stem, int(content["pid"]), str(content["born"])))
        except (ValueError, KeyError, TypeError, FileNotFoundError):
            path.unlink(missing_ok=True)
    return found


def wait_gone(processes: Iterable[Known], timeout: float) -> list[Known]:
    """Wait until they have ended; those that still run after `timeout` seconds are returned."""
    left, deadline = [process for process in processes if process.alive()], time.monotonic() + timeout
    while left and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
        left = [process for process in left if process.alive()]
    return left


def end(process: Known, number: int, patience: float) -> None:
    """Ask a process to end and, when it does not within `patience` seconds, make it (with its group)."""
    process.signal(number)
    if wait_gone([process], patience):
        process.signal(signal.SIGKILL, group=True)
        wait_gone([process], patience)


def memory_of(pids: Iterable[int]) -> dict[int, int]:
    """Bytes of memory of each process and all its descendants.

    Proportional set size where the kernel tells (pages that processes share count once in a sum), else resident size.
    """
    import psutil

    children: dict[int, list[int]] = {}
    for process in psutil.process_iter(["pid", "ppid"]):
        children.setdefault(process.info["ppid"], []).append(process.info["pid"])
    return {pid: sum(own_memory(member) for member in _family(pid, children)) for pid in pids}


def _family(pid: int, children: dict[int, list[int]]) -> list[int]:
    family, seen = [pid], {pid}
    for member in family:
        for child in children.get(member, []):
            if child not in seen:
                seen.add(child)
                family.append(child)
    return family


def own_memory(pid: int) -> int:
    """Bytes of memory of one process, without its descendants; 0 when it is gone."""
    try:
        for line in (PROC / str(pid) / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        return _resident(pid)
    return 0


def _resident(pid: int) -> int:
    import psutil

    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return 0


def owner_of_port(port: int) -> str:
    """Name and pid of the process that listens on a TCP port, as far as the system tells; empty otherwise."""
    import psutil

    try:
        connections = psutil.net_connections("tcp")
    except psutil.AccessDenied:
        return ""
    for connection in connections:
        listens = (
            connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port == port
        )
        if listens and connection.pid:
            try:
                return f"{psutil.Process(connection.pid).name()} (process {connection.pid})"
            except psutil.Error:
                return f"process {connection.pid}"
    return ""


def marked(variable: str, value: str) -> list[Known]:
    """Living processes whose environment has this variable with this value, but not the caller and its ancestors."""
    import psutil

    own = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid not in own and process.environ().get(variable) == value:
                found.append(Known("", process.pid, birth(process.pid)))
        except (psutil.Error, OSError):
            continue
    return [process for process in found if process.alive()]
