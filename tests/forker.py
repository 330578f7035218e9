"""A process that has imported a service, and forks one of it for who asks: a start costs milliseconds, not seconds.

    python -m tests.forker SOCKET MODULE

A request is one JSON document: folder, name, factory, port, variables; the answer comes when the process is there.
"""

import importlib
import json
import os
import signal
import socket
import sys
from pathlib import Path
from typing import Any

from leitstand.embedded import processes


def ask(path: str, asked: dict[str, Any]) -> None:
    """Have a service run, unless it does."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        connection.sendall(json.dumps(asked).encode())
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(2) == b"ok"


def main(path: str, module: str) -> None:
    """Fork for everybody, one after another, until it is killed."""
    for name in (module, "uvicorn"):
        importlib.import_module(name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(8)
        while True:
            connection, _ = listener.accept()
            with connection, connection.makefile("rb") as stream:
                asked = json.loads(stream.read())
                pids = Path(asked["folder"]) / "pids"
                if any(one.name == asked["name"] and one.alive() for one in processes.known(pids)):
                    connection.sendall(b"ok")
                    continue
                if (pid := os.fork()) == 0:
                    listener.close()
                    _serve(asked)
                processes.record(pids, asked["name"], pid)
                connection.sendall(b"ok")


def _serve(asked: dict[str, Any]) -> None:
    import uvicorn

    os.setsid()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    log = os.open(Path(asked["folder"]) / f"{asked['name']}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.environ.update(asked["variables"])
    uvicorn.run(
        asked["factory"], factory=True, port=asked["port"], access_log=False, timeout_graceful_shutdown=5
    )
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
