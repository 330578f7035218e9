"""Real services for every test: one PostgreSQL and one object store a run, one migrated template database.

With pytest-xdist the workers share them: the first to come starts them under a lock, the last to leave
(or the next run) ends them. Each test that wants a database works in a transaction that is rolled back (`session`), or
in a database of its own cloned from the template (`database`).
"""

import os

from hypothesis import settings

os.environ.setdefault("LEITSTAND_ENVIRONMENT", "test")
# A busy machine is no failure.
settings.register_profile("leitstand", deadline=None)
settings.load_profile("leitstand")
pytest_plugins = ["tests.services", "tests.stack"]
