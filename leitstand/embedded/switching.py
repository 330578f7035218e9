"""Put a restored database in the place of the live one: services stop, the old folder is moved aside, services start.

Nothing is deleted, and every step looks at the folders to know what is done already, so that a switch which was cut
short is finished by doing it again. The folders of one restore share a key:

    postgres                 the live one
    postgres.restored-KEY    restored and tried out, not used yet
    postgres.before-KEY      what was live before
    postgres.undone-KEY      what the restore had put in place, after it was undone
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from leitstand.embedded import restarting
from leitstand.embedded.environment import Environment
from leitstand.embedded.programs import BY_NAME
from leitstand.embedded.stop import wait_stopped, waves
from leitstand.embedded.supervisor import GONE_STATES, Supervisor
from leitstand.errors import Conflict, PreconditionFailed
from leitstand.runbooks.pending import sync_folder
from leitstand.services import MARK, OBJECTS, POSTGRES
from leitstand.words import msg

if TYPE_CHECKING:
    from leitstand.backups.work import Progress

NOT_BEGUN, RESTORED, BETWEEN, SWITCHED, ODD = (
    "not begun",
    "restored, not used yet",
    "moved aside, nothing in place yet",
    "switched",
    "odd",
)
BEFORE, NEXT, UNDONE = "before", "restored", "undone"


@dataclass(frozen=True)
class Switch:
    """What goes where.

    Args:
        live: the folder that the services use.
        waiting: what is to be put there.
        aside: where what is there goes.
    """

    live: Path
    waiting: Path
    aside: Path

    @classmethod
    def forward(cls, live: Path, key: str) -> "Switch":
        """A restored database in the place of the live one."""
        return cls(live, _beside(live, NEXT, key), _beside(live, BEFORE, key))

    @classmethod
    def backward(cls, live: Path, name: str) -> "Switch":
        """The same undone.

        Args:
            name: of the folder that was moved aside, `postgres.before-KEY`.

        Raises:
            PreconditionFailed: it is no such name.
        """
        prefix = f"{live.name}.{BEFORE}-"
        if not name.startswith(prefix) or "/" in name:
            raise PreconditionFailed(
                msg("{name!r} names no database that was moved aside.", name=name),
                hint=msg("It begins with {prefix}.", prefix=prefix),
            )
        return cls(live, live.with_name(name), _beside(live, UNDONE, name.removeprefix(prefix)))

    def stage(self) -> str:
        """How far it is, from what is there."""
        there = (self.live.exists(), self.waiting.exists(), self.aside.exists())
        return {
            (True, False, False): NOT_BEGUN,
            (False, False, False): NOT_BEGUN,
            (True, True, False): RESTORED,
            (False, True, False): RESTORED,
            (False, True, True): BETWEEN,
            (True, False, True): SWITCHED,
        }.get(there, ODD)


def _beside(live: Path, word: str, key: str) -> Path:
    return live.with_name(f"{live.name}.{word}-{key}")


def refuse_inside(environment: Environment) -> None:
    """Refuse to stop services from inside of one of them: the run would end in the middle.

    Raises:
        PreconditionFailed: this process was started by a service of the environment.
    """
    if os.environ.get(MARK) == str(environment.data_dir):
        raise PreconditionFailed(
            "This run was started by a service that it would stop.",
            hint="Start it in a terminal: `leitstand runbook run`.",
        )


def running(environment: Environment) -> list[str]:
    """Services that run or are tried again, but the object store, which a restore needs.

    Raises:
        PreconditionFailed: no supervisor runs, or this process is one of its services.
    """
    refuse_inside(environment)
    states = Supervisor(environment).states()
    if states is None:
        raise PreconditionFailed(
            "The environment is not supervised, so nothing can be stopped and started here.",
            hint="./run up starts it; where PostgreSQL does not start, what else runs goes on, and that is enough.",
        )
    return [name for name, state in states.items() if state.state not in GONE_STATES and name != OBJECTS.name]


def stop(environment: Environment, names: list[str], progress: "Progress") -> None:
    """Stop services, those that need others first.

    Raises:
        Conflict: PostgreSQL still runs.
    """
    supervisor = Supervisor(environment)
    for wave in waves():
        together = [name for name in wave if name in names]
        if together:
            progress(f"stopping {', '.join(together)}")
            supervisor.stop_services(*together)
            wait_stopped(supervisor, together)
    _refuse_running(environment.postgres_dir)


def _refuse_running(data: Path) -> None:
    """A server that was killed leaves its lock; one that lives has its pid there."""
    import psutil

    try:
        pid = int((data / "postmaster.pid").read_text().splitlines()[0])
        process = psutil.Process(pid)
    except (OSError, ValueError, IndexError, psutil.NoSuchProcess):
        return
    if process.name() == "postgres":
        raise Conflict(
            msg("A PostgreSQL server (process {pid}) still runs on {data}.", pid=pid, data=data),
            hint="Stop it, then run this again.",
        )


def swap(switch: Switch) -> None:
    """Two renames; the disk has everything before the first.

    Raises:
        Conflict: the folders are as no switch leaves them.
    """
    os.sync()
    if switch.stage() == RESTORED:
        if switch.live.exists():
            switch.live.rename(switch.aside)
        else:  # there is nothing to move: a place holder keeps the stages apart
            switch.aside.mkdir(mode=0o700)
    if switch.stage() == BETWEEN:
        switch.waiting.rename(switch.live)
    sync_folder(switch.live.parent)
    if switch.stage() != SWITCHED:
        raise Conflict(
            msg(
                "The folders beside {live} are as no restore leaves them: {switch}.",
                live=switch.live,
                switch=_listed(switch),
            ),
            hint="Something else made or moved one of them meanwhile; look at them before you go on.",
        )


def start(environment: Environment, names: list[str], progress: "Progress") -> None:
    """Start services, those that others need first, and wait until each answers.

    Raises:
        Unavailable: one does not.
    """
    supervisor = Supervisor(environment)
    ordered = restarting.in_order({*names, POSTGRES.name})
    for wave in sorted({BY_NAME[name].wave for name in ordered}):
        together = [name for name in ordered if BY_NAME[name].wave == wave]
        progress(f"starting {', '.join(together)}")
        supervisor.launch(*together)
        restarting.wait_ready(environment, together)


def _listed(switch: Switch) -> str:
    return ", ".join(path.name for path in (switch.live, switch.waiting, switch.aside) if path.exists())
