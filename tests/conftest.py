"""Real services for every test: one PostgreSQL and one object store a run, one migrated template database.

With pytest-xdist the workers share them: the first to come starts them under a lock, the last to leave
(or the next run) ends them. Each test that wants a database works in a transaction that is rolled back (`session`), or
in a database of its own cloned from the template (`database`).
"""

import os

import pytest

os.environ.setdefault("LEITSTAND_ENVIRONMENT", "test")
pytest_plugins = ["tests.services", "tests.stack"]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of the whole stack stay on one worker, and so do the slow ones of a file: they share what they start."""
    for item in items:
        if item.get_closest_marker("stack"):
            item.add_marker(pytest.mark.xdist_group("stack"))
        elif item.path.parent.name == "storage":
            item.add_marker(pytest.mark.xdist_group("storage"))  # the same keys in the one store
        elif item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.xdist_group(item.path.stem))
