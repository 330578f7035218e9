"""supervisord for one environment: its configuration, its start and end, and questions to it.

The configuration holds no path and no secret: paths come from where it lies (`%(here)s`) and from the environment,
so that no character in a folder's name can break it.
"""

import hashlib
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

from leitstand.embedded import processes
from leitstand.embedded.environment import REPOSITORY, Environment, write_private
from leitstand.embedded.programs import PROGRAMS, Program
from leitstand.errors import PreconditionFailed, Unavailable
from leitstand.services import MARK
from leitstand.words import msg

NAME = "supervisor"
PYTHON = "LEITSTAND_PYTHON"
SOCKET = "LEITSTAND_SUPERVISOR_SOCKET"
# A Unix socket's path may have 104 bytes (macOS), and supervisord first binds one with its pid behind.
SOCKET_PATH_BYTES = 90
START_SECONDS = 15
ANSWER_SECONDS = 10
# A crashed service is tried again for ever; supervisord waits a second longer before each try.
TRIES = 1_000_000
LOG_BYTES, LOGS_KEPT = "10MB", 3
GONE_STATES = {"STOPPED", "EXITED", "FATAL", "UNKNOWN"}
FAULT_ALREADY_STARTED, FAULT_NOT_RUNNING = 60, 70

HEAD = f"""\
; Written by ./run up from leitstand/embedded; changes are lost.
[supervisord]
nodaemon=true
directory=%(ENV_LEITSTAND_REPOSITORY)s
pidfile=%(here)s/supervisord.pid
logfile=%(here)s/logs/{NAME}.log
logfile_maxbytes={LOG_BYTES}
logfile_backups={LOGS_KEPT}
childlogdir=%(here)s/logs
umask=077
strip_ansi=true

[unix_http_server]
file=%(ENV_{SOCKET})s
chmod=0700

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
"""
PROGRAM = """
[program:{name}]
command="%(ENV_{python})s" -m leitstand.embedded.launch {name}
autostart=false
autorestart=true
startsecs={lives}
startretries={tries}
stopsignal={stop_signal}
stopwaitsecs={patience}
killasgroup=true
umask=077
redirect_stderr=true
stdout_logfile=%(here)s/logs/{name}.log
stdout_logfile_maxbytes={log_bytes}
stdout_logfile_backups={logs_kept}
"""


@dataclass(frozen=True)
class State:
    """What the supervisor says of one service.

    Args:
        name: the service.
        state: STARTING, RUNNING, BACKOFF, STOPPING, STOPPED, EXITED, FATAL or UNKNOWN.
        pid: 0 where there is no process.
        seconds: how long it has been running.
        detail: why it ended, where it did.
    """

    name: str
    state: str
    pid: int
    seconds: int
    detail: str


def configuration(programs: Iterable[Program] = PROGRAMS) -> str:
    """supervisord's configuration of these programs."""
    sections = [
        PROGRAM.format(
            name=program.service.name,
            python=PYTHON,
            lives=program.lives,
            tries=TRIES,
            stop_signal=program.stop_signal,
            patience=program.patience,
            log_bytes=LOG_BYTES,
            logs_kept=LOGS_KEPT,
        )
        for program in programs
    ]
    return HEAD + "".join(sections)


def socket_path(environment: Environment) -> Path:
    """Where the supervisor listens: in the data folder, unless its path is too long for a socket."""
    inside = environment.data_dir / "supervisor.sock"
    if len(os.fsencode(inside)) <= SOCKET_PATH_BYTES:
        return inside
    digest = hashlib.sha256(os.fsencode(environment.data_dir)).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"leitstand-{os.getuid()}-{digest}" / "supervisor.sock"


def _prepare_socket(path: Path) -> None:
    """Make the socket's folder; outside of the data folder it must be ours alone."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    status = path.parent.lstat()
    if status.st_uid != os.getuid() or (status.st_mode & 0o022):
        raise PreconditionFailed(
            msg("{parent} belongs to someone else or can be written by others.", parent=path.parent),
            hint="Use --data-dir with a shorter path, or mend that folder's owner and mode.",
        )


class Supervisor:
    """The supervisor of one environment, running or not."""

    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        self.socket = socket_path(environment)

    def start(self) -> None:
        """Start supervisord in a session of its own, so that it outlives the shell, and wait until it answers.

        Raises:
            PreconditionFailed: it does not.
        """
        configuration_file = self.environment.data_dir / "supervisor.conf"
        write_private(configuration_file, configuration())
        self.environment.logs_dir.mkdir(exist_ok=True, mode=0o700)
        _prepare_socket(self.socket)
        self.socket.unlink(missing_ok=True)
        with (self.environment.logs_dir / f"{NAME}.out").open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "supervisor.supervisord", "-n", "-s", "-c", str(configuration_file)],
                env=self._variables(),
                cwd=REPOSITORY,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                umask=0o077,
            )
        processes.record(self.environment.pids_dir, NAME, process.pid)
        deadline = time.monotonic() + START_SECONDS
        while not self.running():
            if process.poll() is not None or time.monotonic() > deadline:
                raise PreconditionFailed(
                    "The supervisor did not start.",
                    hint=msg(
                        "See {log_of} and {name}.out beside it.",
                        log_of=self.environment.log_of(NAME),
                        name=NAME,
                    ),
                )
            time.sleep(0.05)

    def _variables(self) -> dict[str, str]:
        """supervisord's environment, which every service inherits: no secret is in it."""
        return {
            **os.environ,
            **self.environment.variables(),
            MARK: str(self.environment.data_dir),
            PYTHON: sys.executable,
            SOCKET: str(self.socket),
            "LEITSTAND_REPOSITORY": str(REPOSITORY),
            "PYTHONUNBUFFERED": "1",
        }

    def running(self) -> bool:
        """Whether it answers."""
        return self.states() is not None

    def states(self) -> dict[str, State] | None:
        """The state of every service; None where no supervisor answers."""
        try:
            answer = self._ask("getAllProcessInfo")
        except Unavailable:
            return None
        return {entry["name"]: _state(entry) for entry in answer}

    def launch(self, *names: str) -> None:
        """Have services started; those that already are stay, one that waits for its next try is tried now."""
        states = self.states() or {}
        for name in names:
            if states[name].state == "BACKOFF":
                self._ask_leniently("stopProcess", name, True)
            self._ask_leniently("startProcess", name, False)

    def stop_services(self, *names: str) -> None:
        """Have services stopped, all at once, without waiting."""
        for name in names:
            self._ask_leniently("stopProcess", name, False)

    def shut_down(self) -> None:
        """Have it stop what still runs and end itself."""
        self._ask("shutdown")

    def _ask_leniently(self, question: str, *arguments: object) -> None:
        """Ask for a state that may already be so."""
        from xmlrpc.client import Fault

        try:
            self._ask(question, *arguments)
        except Fault as fault:
            if fault.faultCode not in {FAULT_ALREADY_STARTED, FAULT_NOT_RUNNING}:
                raise Unavailable(
                    msg(
                        "The supervisor refuses {question}: {fault}",
                        question=question,
                        fault=fault.faultString,
                    )
                ) from fault

    def _ask(self, question: str, *arguments: object) -> Any:
        import xmlrpc.client

        body = xmlrpc.client.dumps(arguments, f"supervisor.{question}")  # type: ignore[arg-type]
        connection = _SocketConnection(self.socket)
        try:
            connection.request("POST", "/RPC2", body, {"Content-Type": "text/xml"})
            answer = connection.getresponse().read()
        except FileNotFoundError as error:
            raise Unavailable("No supervisor runs.", hint="Start the environment with ./run up.") from error
        except (OSError, HTTPException) as error:
            raise Unavailable("The supervisor does not answer.", hint="./run up recovers it.") from error
        finally:
            connection.close()
        return xmlrpc.client.loads(answer, use_builtin_types=True)[0][0]


class _SocketConnection(HTTPConnection):
    """HTTP over a Unix socket, with a time limit (supervisor's own client has none)."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=ANSWER_SECONDS)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(ANSWER_SECONDS)
        self.sock.connect(str(self.path))


def _state(entry: dict[str, Any]) -> State:
    running = entry["statename"] in {"STARTING", "RUNNING", "STOPPING"}
    seconds = max(0, entry["now"] - entry["start"]) if running else 0
    return State(entry["name"], entry["statename"], entry["pid"], seconds, entry["spawnerr"] or "")
