"""Start services again in the order in which they depend on each other, and wait until each is ready."""

import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from leitstand.embedded import probes
from leitstand.embedded.environment import Environment
from leitstand.embedded.programs import BY_NAME
from leitstand.embedded.stop import wait_stopped
from leitstand.embedded.supervisor import GONE_STATES, Supervisor
from leitstand.errors import PreconditionFailed, Unavailable
from leitstand.words import msg

if TYPE_CHECKING:
    from leitstand.backups.work import Progress

READY_SECONDS = 180.0
POLL_SECONDS = 0.2


def in_order(names: Iterable[str]) -> list[str]:
    """Services from those that others need to those that need others."""
    return sorted(names, key=lambda name: (BY_NAME[name].wave, name))


def restart(environment: Environment, names: Sequence[str], progress: "Progress") -> None:
    """Restart those of the services that run, wave by wave; nothing happens where no supervisor runs.

    Raises:
        Unavailable: one does not get ready again.
    """
    supervisor = Supervisor(environment)
    states = supervisor.states()
    if states is None:
        return
    running = [name for name in names if states[name].state not in GONE_STATES]
    for wave in sorted({BY_NAME[name].wave for name in running}):
        together = [name for name in running if BY_NAME[name].wave == wave]
        progress(f"starting again: {', '.join(together)}")
        supervisor.stop_services(*together)
        wait_stopped(supervisor, together)
        supervisor.launch(*together)
        wait_ready(environment, together)


def wait_ready(environment: Environment, names: Sequence[str]) -> None:
    """Wait until services answer.

    Raises:
        Unavailable: one does not, in `READY_SECONDS`.
    """
    services = [BY_NAME[name].service for name in names]
    deadline = time.monotonic() + READY_SECONDS
    while True:
        health = probes.ask_all(environment, services)
        waiting = [name for name in names if not health[name].ready]
        if not waiting:
            return
        if time.monotonic() > deadline:
            raise Unavailable(
                msg(
                    "{waiting} does not get ready: {detail}.",
                    waiting=waiting[0],
                    detail=health[waiting[0]].detail,
                ),
                hint=msg(
                    "See ./run logs {waiting}; when it is mended, rotate again: it goes on where it stopped.",
                    waiting=waiting[0],
                ),
            )
        time.sleep(POLL_SECONDS)


def start_again(environment: Environment, name: str, progress: "Progress") -> None:
    """End one service in order, if it runs, and have it running.

    Raises:
        PreconditionFailed: no supervisor runs, which would start it.
        Unavailable: it does not get ready.
    """
    supervisor = Supervisor(environment)
    if not supervisor.running():
        raise PreconditionFailed("No supervisor runs.", hint="Start the environment with ./run up.")
    progress(f"ending {name}")
    supervisor.stop_services(name)
    wait_stopped(supervisor, [name])
    supervisor.launch(name)
    wait_ready(environment, [name])
    progress(f"{name} is ready again")
