"""Ends an environment: in order, whole, and also when half of it is dead already."""

import signal
import time
from collections.abc import Iterable

from leitstand.embedded import processes
from leitstand.embedded.environment import Environment
from leitstand.embedded.processes import Known
from leitstand.embedded.programs import BY_NAME, PROGRAMS
from leitstand.embedded.progress import Tell
from leitstand.embedded.supervisor import GONE_STATES, NAME, Supervisor
from leitstand.errors import Unavailable
from leitstand.services import MARK

SUPERVISOR_PATIENCE = 10
LEFTOVER_PATIENCE = 15
POLL_SECONDS = 0.1


def down(environment: Environment, tell: Tell) -> bool:
    """Stop everything and wait until it has ended; False where nothing ran.

    Raises:
        Conflict: another ./run up or ./run down is at work.
    """
    with environment.exclusive():
        return stop_all(environment, tell)


def stop_all(environment: Environment, tell: Tell) -> bool:
    """`down` for someone who already holds the environment's lock."""
    supervisor = Supervisor(environment)
    ran = supervisor.running()
    if ran:
        _stop_supervised(environment, supervisor, tell)
    left = clear_leftovers(environment, tell)
    supervisor.socket.unlink(missing_ok=True)
    return ran or left


def waves() -> list[list[str]]:
    """Names of the services in the order in which they stop, those of one list at the same time."""
    order = sorted({program.wave for program in PROGRAMS}, reverse=True)
    return [[program.service.name for program in PROGRAMS if program.wave == wave] for wave in order]


def _stop_supervised(environment: Environment, supervisor: Supervisor, tell: Tell) -> None:
    for names in waves():
        with tell.step(f"Stopping {', '.join(names)}", f"{', '.join(names)} stopped"):
            supervisor.stop_services(*names)
            wait_stopped(supervisor, names)
    pids = [known for known in processes.known(environment.pids_dir) if known.name == NAME]
    try:
        supervisor.shut_down()
    except Unavailable:
        return
    processes.wait_gone(pids, SUPERVISOR_PATIENCE)


def wait_stopped(supervisor: Supervisor, names: list[str]) -> None:
    """Wait until services have stopped; the supervisor itself kills those that take too long."""
    deadline = time.monotonic() + max(BY_NAME[name].patience for name in names) + SUPERVISOR_PATIENCE
    while time.monotonic() < deadline:
        states = supervisor.states()
        if states is None or all(states[name].state in GONE_STATES for name in names):
            return
        time.sleep(POLL_SECONDS)


def clear_leftovers(environment: Environment, tell: Tell) -> bool:
    """End what still runs of an environment whose supervisor is gone or hangs; False where nothing did.

    The pid files name the services; whatever those have started carries the environment's mark.
    """
    named = {known.name: known for known in processes.known(environment.pids_dir) if known.alive()}
    if NAME in named:
        processes.end(named.pop(NAME), signal.SIGKILL, SUPERVISOR_PATIENCE)
    for names in waves():
        _end_together([(named[name], name) for name in names if name in named])
    strays = processes.marked(MARK, str(environment.data_dir))
    for stray in strays:
        stray.signal(signal.SIGTERM)
    for stray in processes.wait_gone(strays, LEFTOVER_PATIENCE):
        processes.end(stray, signal.SIGKILL, SUPERVISOR_PATIENCE)
    if named or strays:
        tell.note(f"Ended {len(named) + len(strays)} processes that nobody supervised any more.")
    for path in environment.pids_dir.glob("*.json"):
        path.unlink(missing_ok=True)
    _remove_sockets(environment)
    return bool(named or strays)


def _end_together(services: Iterable[tuple[Known, str]]) -> None:
    wave = list(services)
    for known, name in wave:
        known.signal(getattr(signal, f"SIG{BY_NAME[name].stop_signal}"))
    for known, name in wave:
        if processes.wait_gone([known], BY_NAME[name].patience):
            processes.end(known, signal.SIGKILL, SUPERVISOR_PATIENCE)


def _remove_sockets(environment: Environment) -> None:
    from leitstand.embedded.objects import ObjectStore

    ObjectStore(environment.objects_dir, environment.port, "", "").remove_sockets()
