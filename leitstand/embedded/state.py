"""What an environment is like right now: every service, its memory, and how its last start went."""

from dataclasses import asdict, dataclass
from typing import Any

from leitstand.embedded import probes, processes
from leitstand.embedded.environment import Environment
from leitstand.embedded.probes import Health
from leitstand.embedded.programs import BY_NAME
from leitstand.embedded.supervisor import NAME as SUPERVISOR
from leitstand.embedded.supervisor import State, Supervisor
from leitstand.services import PREFECT, PROXY, SERVICES, Service

UP, STARTING, RESTARTING, FAILING, STOPPED, STRAY = (
    "up",
    "starting",
    "restarting",
    "failing",
    "stopped",
    "unsupervised",
)


@dataclass(frozen=True)
class ServiceStatus:
    """One service.

    Args:
        state: up; starting (runs, not ready yet); restarting (ended, tried again soon); failing (ran long enough and is
            not ready); stopped; unsupervised (answers, but nobody would restart it).
        pid: 0 where there is no process.
        seconds: how long its process has been running.
        memory_bytes: of it and what it started.
    """

    name: str
    title: str
    address: str
    state: str
    detail: str
    pid: int
    seconds: int
    memory_bytes: int


@dataclass(frozen=True)
class EnvironmentStatus:
    """The whole environment; `last_start` is what `./run up` measured (empty before the first)."""

    base_url: str
    data_dir: str
    supervised: bool
    services: tuple[ServiceStatus, ...]
    memory_bytes: int
    last_start: dict[str, Any]

    @property
    def ok(self) -> bool:
        """Whether every service is up and supervised."""
        return self.supervised and all(service.state == UP for service in self.services)

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {"ok": self.ok} | asdict(self)


def status(environment: Environment) -> EnvironmentStatus:
    """Ask supervisor and services, at once and within about two seconds."""
    states = Supervisor(environment).states()
    health = probes.ask_all(environment)
    pids = [state.pid for state in (states or {}).values() if state.pid]
    own = [
        known.pid
        for known in processes.known(environment.pids_dir)
        if known.name == SUPERVISOR and known.alive()
    ]
    memory = processes.memory_of(pids)
    services = tuple(
        _service(environment, service, states, health[service.name], memory) for service in SERVICES
    )
    total = sum(memory.values()) + sum(processes.own_memory(pid) for pid in own)
    return EnvironmentStatus(
        environment.base_url,
        str(environment.data_dir),
        states is not None,
        services,
        total,
        environment.recall().get("last_start", {}),
    )


def _service(
    environment: Environment,
    service: Service,
    states: dict[str, State] | None,
    health: Health,
    memory: dict[int, int],
) -> ServiceStatus:
    state = (states or {}).get(service.name)
    word, detail = judge(state, health)
    pid, seconds = (state.pid, state.seconds) if state else (0, 0)
    return ServiceStatus(
        service.name,
        service.title,
        address_for_people(environment, service),
        word,
        detail,
        pid,
        seconds,
        memory.get(pid, 0),
    )


def judge(state: State | None, health: Health) -> tuple[str, str]:
    """One word for what supervisor and service say, and why it is not `up`."""
    if state is None:
        return (STRAY, "run ./run up, which takes it over") if health.ready else (STOPPED, "")
    if state.state in {"STARTING", "RUNNING"}:
        if health.ready:
            return UP, ""
        early = state.seconds < BY_NAME[state.name].lives
        return (STARTING if early else FAILING), health.detail
    if state.state in {"BACKOFF", "EXITED"}:
        return RESTARTING, state.detail or "ended and is started again"
    return STOPPED, state.detail


def address_for_people(environment: Environment, service: Service) -> str:
    """What to type to reach a service: through the proxy where it has pages there."""
    if service is PROXY:
        return environment.base_url
    if service is PREFECT:
        return environment.base_url + service.prefix
    return environment.address_of(service)
