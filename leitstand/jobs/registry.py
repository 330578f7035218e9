"""The jobs that exist: a name, a function, and how often it is tried.

A feature registers its jobs in a module of its own that is light to import and listed in `MODULES`. A job may run
more than once (its worker can be killed after the work and before the receipt), so its function must be idempotent.
"""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import TypeVar

from leitstand.errors import NotFound
from leitstand.words import msg

# Names, not imports: the queue stands below the features whose work it runs.
MODULES = (
    "leitstand.agents.jobs",
    "leitstand.agents.schedule_jobs",
    "leitstand.backups.jobs",
    "leitstand.billing.jobs",
    "leitstand.checks.jobs",
    "leitstand.conversations.jobs",
    "leitstand.events.jobs",
    "leitstand.identity.jobs",
    "leitstand.imports.jobs",
    "leitstand.integrations.jobs",
    "leitstand.knowledge.jobs",
    "leitstand.reports.jobs",
    "leitstand.runbooks.jobs",
)

# Each is worked on beside the others, so that what takes minutes does not hold up what takes a moment.
DEFAULT_QUEUE, AGENTS_QUEUE, VECTORS_QUEUE = "default", "agents", "vectors"
QUEUES = (DEFAULT_QUEUE, AGENTS_QUEUE, VECTORS_QUEUE)
DEFAULT_ATTEMPTS = 5
FIRST_WAIT_SECONDS = 2.0

Function = TypeVar("Function", bound=Callable[..., object])


@dataclass(frozen=True)
class Job:
    """One kind of job.

    Args:
        name: what `enqueue` calls it, as `area.verb`.
        run: called in a thread of the worker with the arguments that were enqueued.
        attempts: how often it is tried before it counts as failed.
        lock: jobs with the same lock run one at a time; arguments may be named in it, as in "import-{document_id}".
        first_wait: seconds before the second attempt; each further wait is twice as long, with jitter.
        queue: one of `QUEUES`.
    """

    name: str
    run: Callable[..., object]
    attempts: int = DEFAULT_ATTEMPTS
    lock: str = ""
    first_wait: float = FIRST_WAIT_SECONDS
    queue: str = DEFAULT_QUEUE


_jobs: dict[str, Job] = {}


def job(
    name: str,
    *,
    attempts: int = DEFAULT_ATTEMPTS,
    lock: str = "",
    first_wait: float = FIRST_WAIT_SECONDS,
    queue: str = DEFAULT_QUEUE,
) -> Callable[[Function], Function]:
    """Register the decorated function as the job `name`; see `Job` for the arguments."""

    def register(function: Function) -> Function:
        known = _jobs.get(name)
        if known is not None and known.run.__module__ != function.__module__:
            raise ValueError(
                f"the job {name!r} is registered by {known.run.__module__} and by {function.__module__}"
            )
        _jobs[name] = Job(name, function, attempts, lock, first_wait, queue)
        return function

    return register


@lru_cache(maxsize=1)
def _load() -> None:
    for module in MODULES:
        importlib.import_module(module)


def registered() -> Mapping[str, Job]:
    """Every job by its name."""
    _load()
    return MappingProxyType(_jobs)


def find(name: str) -> Job:
    """The job of that name.

    Raises:
        NotFound: nothing registered it.
    """
    try:
        return registered()[name]
    except KeyError:
        raise NotFound(
            msg("There is no job {name!r}.", name=name),
            hint=msg("Known jobs: {jobs}.", jobs=", ".join(sorted(_jobs)) or "none"),
        ) from None
