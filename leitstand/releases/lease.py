"""One release at a time: a lock with an owner and an end, which no killed or cancelled release holds for long.

It is held until a moment that its owner moves ahead before each step, by as much as the step may take. Who is later than
that has lost it, notices before it does anything more, and ends.
"""

import fcntl
import json
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from leitstand.births import birth
from leitstand.errors import Conflict, Unavailable
from leitstand.releases.files import remove_durably, write_durably
from leitstand.words import N_, msg

FILE, GUARD = "lock.json", "lock.guard"
FIRST_SECONDS = 60.0


@dataclass(frozen=True)
class Held:
    """The lock as its file has it.

    Args:
        owner: who, in words. token: of this very holding. until: Unix time at which it ends.
        machine, pid, born: the process that holds it.
    """

    owner: str
    token: str
    since: float
    until: float
    machine: str
    pid: int
    born: str

    def over(self) -> bool:
        """Whether nobody holds it any more: it has ended, or its process on this machine has."""
        return time.time() >= self.until or (self.machine == _machine() and birth(self.pid) != self.born)


class Lease:
    """The lock in the hand of this process."""

    def __init__(self, folder: Path, held: Held) -> None:
        self.folder, self.held = folder, held

    def renew(self, seconds: float) -> None:
        """Hold it for so many seconds from now on.

        Raises:
            Unavailable: another one has it.
        """
        with _guarded(self.folder):
            self._check()
            self.held = Held(**{**asdict(self.held), "until": time.time() + seconds})
            _write(self.folder, self.held)

    def give_back(self) -> None:
        """Let others; nothing happens where it was lost."""
        with _guarded(self.folder):
            found = look(self.folder)
            if found and found.token == self.held.token:
                remove_durably(self.folder / FILE)

    def _check(self) -> None:
        found = look(self.folder)
        if found is None or found.token != self.held.token:
            raise Unavailable(
                msg("This release has lost its lock to {owner}.", owner=found.owner if found else "nobody"),
                hint=N_(
                    "It took longer than its step may take. `leitstand release status` says what goes on."
                ),
            )


def take(folder: Path, owner: str, *, seconds: float = FIRST_SECONDS) -> Lease:
    """Hold the lock.

    Raises:
        Conflict: another release holds it; it says who, since when and until when at the latest.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _guarded(folder):
        found = look(folder)
        if found and not found.over():
            raise Conflict(
                msg(
                    "{owner} is releasing since {since} UTC; the lock ends at {until} UTC at the latest.",
                    owner=found.owner,
                    since=_clock(found.since),
                    until=_clock(found.until),
                ),
                hint=N_("Wait for it; `leitstand release status` shows its step."),
            )
        now, pid = time.time(), os.getpid()
        held = Held(owner, secrets.token_hex(8), now, now + seconds, _machine(), pid, birth(pid))
        _write(folder, held)
    return Lease(folder, held)


def look(folder: Path) -> Held | None:
    """Who holds it, or held it last; None: nobody."""
    try:
        return Held(**json.loads((folder / FILE).read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def _write(folder: Path, held: Held) -> None:
    write_durably(folder / FILE, json.dumps(asdict(held)))


@contextmanager
def _guarded(folder: Path) -> Iterator[None]:
    """Alone for the moment in which the file is read and written; the kernel lets go of it with the process."""
    with (folder / GUARD).open("a") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        yield


def _machine() -> str:
    """This boot of this machine: a pid says nothing about another one."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return os.uname().nodename


def _clock(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S}"
