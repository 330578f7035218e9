"""Real services for every test: one PostgreSQL and one object store a run, one migrated template database.

With pytest-xdist the workers share them: the first to come starts them under a lock, the last to leave
(or the next run) ends them. Each test that wants a database works in a transaction that is rolled back (`session`), or
in a database of its own cloned from the template (`database`).
"""

import os
from collections import defaultdict
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import pytest
import structlog
from argon2 import PasswordHasher
from hypothesis import settings

os.environ.setdefault("LEITSTAND_ENVIRONMENT", "test")
# A busy machine is no failure.
settings.register_profile("leitstand", deadline=None)
settings.load_profile("leitstand")
# The default draws every local variable of every frame, which takes seconds an error.
structlog.configure(
    processors=[
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="%H:%M:%S"),
        structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
    ]
)
pytest_plugins = ["tests.services", "tests.stack"]

# What these fixtures start (a cluster or services of their own) takes longer than a quick answer may.
HEAVY = {"source", "rotating", "prefect", "spark_cluster"}
SLOW_SECONDS, OTHER_SECONDS = 15.0, 0.5


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what a heavy fixture makes slow, and begin with those of the shared stack, then with the longest files.

    The stack runs, and takes its share of the machine, until no test wants it any more. A long file that begins last
    keeps a single worker busy when all else has ended.
    """
    expected: defaultdict[Path, float] = defaultdict(float)
    shared = {item.path for item in items if item.get_closest_marker("stack")}
    for item in items:
        if HEAVY & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.slow)
        expected[item.path] += SLOW_SECONDS if item.get_closest_marker("slow") else OTHER_SECONDS
    items.sort(key=lambda item: (item.path not in shared, -expected[item.path], item.path))
    _let_one_worker_start_the_stack(items, shared)


def _let_one_worker_start_the_stack(items: list[pytest.Item], shared: set[Path]) -> None:
    """Put the longest other file second: a second worker has something to do while the first starts the stack."""
    paths = list(dict.fromkeys(item.path for item in items))
    if not shared or len(paths) <= len(shared):
        return
    beside = paths[len(shared)]
    order = [paths[0], beside, *(path for path in paths[1:] if path != beside)]
    items.sort(key=lambda item: order.index(item.path))


@pytest.fixture(scope="session", autouse=True)
def cheap_passwords() -> Iterator[None]:
    """A hash costs a quarter of a second by design, which was most of the time of a test with people in it."""
    from leitstand.identity import passwords

    cheap = lru_cache(maxsize=1)(lambda: PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "_hasher", cheap)
        yield
