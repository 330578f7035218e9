"""How many examples a property of the database is tried with: few in every run, many in `./run test long`."""

import os

EXAMPLES = int(os.environ.get("LEITSTAND_TEST_EXAMPLES", "50"))
