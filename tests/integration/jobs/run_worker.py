"""A real worker process that also knows the tests' jobs; the argument is the grace at its end, in seconds."""

import sys

from serving import worker
from tests.integration.jobs import work  # noqa: F401 - registers the jobs

worker.GRACE_SECONDS = float(sys.argv[1])
worker.main()
