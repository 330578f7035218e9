"""Real services for every test: one PostgreSQL and one object store a run, one migrated template database.

With pytest-xdist the workers share them: the first to come starts them under a lock, the last to leave
(or the next run) ends them. Each test that wants a database works in a transaction that is rolled back (`session`), or
in a database of its own cloned from the template (`database`).
"""

import os
from collections import defaultdict
from pathlib import Path

import pytest
from hypothesis import settings

os.environ.setdefault("LEITSTAND_ENVIRONMENT", "test")
# A busy machine is no failure.
settings.register_profile("leitstand", deadline=None)
settings.load_profile("leitstand")
pytest_plugins = ["tests.services", "tests.stack"]

SLOW_SECONDS, OTHER_SECONDS = 15.0, 0.5


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest: one that begins last keeps a single worker busy when all else has ended."""
    expected: defaultdict[Path, float] = defaultdict(float)
    for item in items:
        expected[item.path] += SLOW_SECONDS if item.get_closest_marker("slow") else OTHER_SECONDS
    items.sort(key=lambda item: (-expected[item.path], item.path))
