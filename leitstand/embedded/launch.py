"""python -m leitstand.embedded.launch NAME: become one service of the environment that the variables name.

The supervisor starts every service through this: it writes the pid file, reads the secrets that the service needs
from their files into its environment, and executes the service in its own place, so that pid and signals are the
service's own.
"""

import os
import sys

from leitstand.embedded import processes
from leitstand.embedded.environment import locate
from leitstand.embedded.programs import BY_NAME
from leitstand.errors import LeitstandError
from leitstand.services import MARK


def main(arguments: list[str]) -> None:
    """Execute the service named by the only argument; returns only by an error."""
    if len(arguments) != 1 or arguments[0] not in BY_NAME:
        sys.exit(f"usage: python -m leitstand.embedded.launch {{{','.join(BY_NAME)}}}")
    environment, program = locate(), BY_NAME[arguments[0]]
    os.umask(0o077)
    processes.record(environment.pids_dir, program.service.name)
    try:
        argv = program.argv(environment)
        variables = {
            **os.environ,
            **environment.variables(),
            **program.variables(environment),
            MARK: str(environment.data_dir),
        }
    except LeitstandError as error:
        sys.exit(f"error: {error.message} {error.hint}")
    os.execvpe(argv[0], argv, variables)  # noqa: S606 - argv is a list and no shell reads it


if __name__ == "__main__":
    main(sys.argv[1:])
