"""Whether this machine is fit for an environment, asked before anything is started; each no says how to mend it."""

import os
import shutil
import socket
import sys
from pathlib import Path

from leitstand.embedded import processes
from leitstand.embedded.environment import HIGHEST_PORT, LOWEST_PORT, Environment
from leitstand.errors import PreconditionFailed
from leitstand.services import GRPC_OFFSET, OBJECTS, OBJECTS_INTERNAL_OFFSETS, PORT_SPAN, SERVICES
from leitstand.words import joined, msg

MEBIBYTE = 1024 * 1024
DISK_BYTES = 2048 * MEBIBYTE
MEMORY_BYTES = 2048 * MEBIBYTE
PYTHONS = ((3, 12), (3, 13))
CGROUP = Path("/sys/fs/cgroup")


def check(environment: Environment) -> None:
    """Check everything.

    Raises:
        PreconditionFailed: the first thing that is missing, and the way out.
    """
    check_python()
    check_disk(environment.data_dir)
    check_memory()
    check_ports(environment)


def check_python() -> None:
    """The version is one that the lock files are made for."""
    if sys.version_info[:2] not in PYTHONS:
        raise PreconditionFailed(
            msg(
                "This is Python {major}.{minor}; Leitstand needs 3.12 or 3.13.",
                major=sys.version_info.major,
                minor=sys.version_info.minor,
            ),
            hint="Start it with ./run, which finds one, or name one with LEITSTAND_PYTHON.",
        )


def check_disk(data_dir: Path) -> None:
    """The data folder can be written and has space."""
    folder = next(parent for parent in (data_dir, *data_dir.parents) if parent.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        raise PreconditionFailed(
            msg("{folder} can't be written.", folder=folder), hint="Choose another folder with --data-dir."
        )
    free = shutil.disk_usage(folder).free
    if free < DISK_BYTES:
        raise PreconditionFailed(
            msg(
                "Only {free} are free in {folder}; an environment needs at least {disk_bytes}.",
                free=_mib(free),
                folder=folder,
                disk_bytes=_mib(DISK_BYTES),
            ),
            hint="Free some space, or choose a folder on another disk with --data-dir.",
        )


def check_memory() -> None:
    """There is memory for every service."""
    available = available_memory()
    if available < MEMORY_BYTES:
        raise PreconditionFailed(
            msg(
                "Only {available} of memory are available; the services need {memory_bytes}.",
                available=_mib(available),
                memory_bytes=_mib(MEMORY_BYTES),
            ),
            hint="End other programs, or give this machine or container more memory.",
        )


def available_memory() -> int:
    """Bytes that new processes can have, within a container's limit."""
    import psutil

    available = int(psutil.virtual_memory().available)
    limit, used = _number(CGROUP / "memory.max"), _number(CGROUP / "memory.current")
    if limit is None or used is None:
        return available
    return min(available, max(0, limit - used + _reclaimable(CGROUP / "memory.stat")))


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None


def _reclaimable(path: Path) -> int:
    """Bytes of page cache that the kernel gives back when asked."""
    try:
        lines = dict(line.split() for line in path.read_text().splitlines())
        return int(lines["inactive_file"])
    except (OSError, ValueError, KeyError):
        return 0


def ports_of(environment: Environment) -> dict[int, str]:
    """Every port that the environment opens, and what for."""
    ports = {environment.port_of(service): service.name for service in SERVICES}
    inner = {"s3": OBJECTS.offset, **OBJECTS_INTERNAL_OFFSETS}
    for name, offset in inner.items():
        ports.setdefault(environment.port + offset, f"objects ({name})")
        ports[environment.port + offset + GRPC_OFFSET] = f"objects ({name}, gRPC)"
    return ports


def check_ports(environment: Environment) -> None:
    """Every port is free."""
    taken = {port: purpose for port, purpose in ports_of(environment).items() if not is_free(port)}
    if not taken:
        return
    port, purpose = next(iter(taken.items()))
    owner = processes.owner_of_port(port)
    free = free_port(environment.port + PORT_SPAN)
    raise PreconditionFailed(
        joined(
            msg(
                "Port {port}, needed for {purpose}, is taken by {owner}.",
                port=port,
                purpose=purpose,
                owner=owner,
            )
            if owner
            else msg("Port {port}, needed for {purpose}, is taken.", port=port, purpose=purpose),
            msg("{count} more are taken.", count=len(taken) - 1) if len(taken) > 1 else "",
        ),
        hint=msg("End that program, or choose other ports: ./run up --port {free}", free=free)
        if free
        else "End that program.",
    )


def free_port(start: int) -> int | None:
    """The first base port from `start` on at which every port of an environment is free."""
    for base in range(max(start, LOWEST_PORT), HIGHEST_PORT, PORT_SPAN):
        if all(is_free(port) for port in ports_of(Environment(Path(), base))):
            return base
    return None


def is_free(port: int) -> bool:
    """Whether nobody listens on this port of the loopback."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _mib(size: int) -> str:
    return f"{size // MEBIBYTE} MB"
