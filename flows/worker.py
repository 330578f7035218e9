"""The Prefect worker as a process of ours: `python -m flows.worker`.

Prefect ends its worker by sending itself SIGINT when SIGTERM comes. A process whose parent ignores SIGINT (a shell's
background job, and all that it starts) ignores it too, and would never end: so SIGINT is made to count again first.
"""

import signal
import sys

from leitstand.jobs.prefect_environment import prefect_worker_options


def main() -> None:
    """Run the worker until it is told to stop."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = ["prefect", *prefect_worker_options()]

    from prefect.cli import app

    app()


if __name__ == "__main__":
    main()
