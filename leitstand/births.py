"""When a process started. A pid alone is no identity, because the system reuses it."""

import sys
from pathlib import Path

PROC = Path("/proc")
STAT_STATE, STAT_STARTED = 0, 19


def birth(pid: int) -> str:
    """When the process started, in a form that changes with every process that gets this pid; empty where there is none.

    On Linux these are the kernel's clock ticks since boot, which no change of the clock moves.
    """
    if not sys.platform.startswith("linux"):
        return _birth_elsewhere(pid)
    try:
        fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return "" if fields[STAT_STATE] in {"Z", "X"} else fields[STAT_STARTED]


def _birth_elsewhere(pid: int) -> str:
    import psutil

    try:
        process = psutil.Process(pid)
        return "" if process.status() == psutil.STATUS_ZOMBIE else str(round(process.create_time()))
    except psutil.NoSuchProcess:
        return ""
