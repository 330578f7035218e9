"""The command of every service, as a value: argv, environment, and how it is stopped.

Nothing is started here (that is `supervisor`) and nothing secret is in an argv: a secret goes into the environment of
the one process that needs it, at the moment it is executed (`launch`).
"""

import base64
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from leitstand.embedded.environment import REPOSITORY, Environment
from leitstand.embedded.objects import ObjectStore
from leitstand.embedded.postgres import Cluster
from leitstand.services import (
    FACTORIES,
    LAB,
    OBJECTS,
    POSTGRES,
    PREFECT,
    PREFECT_WORKER,
    PROXY,
    SERVICES,
    WORKER,
    Service,
)

if TYPE_CHECKING:
    from leitstand.settings import Settings

TEMPLATES = REPOSITORY / "deploy" / "embedded"
PREFECT_USER = "admin"
ARCHIVE_SECONDS = 60
GRACE_SECONDS = 5

Variables = dict[str, str]


@dataclass(frozen=True)
class Program:
    """One supervised process.

    Args:
        service: which.
        argv: its command, made when it starts.
        variables: what it gets on top of the environment's own variables, made when it starts.
        wave: services stop from the highest wave to the lowest.
        stop_signal: asks it to end in order.
        patience: seconds until it is killed.
        lives: seconds after which a start counts as good; one that ended sooner is started again with back-off.
    """

    service: Service
    argv: Callable[[Environment], list[str]]
    variables: Callable[[Environment], Variables]
    wave: int = 3
    stop_signal: str = "TERM"
    patience: int = 20
    lives: int = 20


def cluster(environment: Environment) -> Cluster:
    """The environment's PostgreSQL."""
    return Cluster(
        environment.postgres_dir, environment.port_of(POSTGRES), environment.secret("database_password")
    )


def store(environment: Environment) -> ObjectStore:
    """The environment's object store."""
    return ObjectStore(
        environment.objects_dir,
        environment.port,
        environment.secret("s3_access_key"),
        environment.secret("s3_secret_key"),
    )


def inherited(environment: Environment) -> Variables:
    """The environment of a helper process of this environment (a deployment, a client program)."""
    return {**os.environ, **environment.variables()}


def nothing(_: Environment) -> Variables:
    """No variables of its own."""
    return {}


def http_argv(service: Service) -> Callable[[Environment], list[str]]:
    """One process of one of our ASGI applications, which trusts forwarded headers from this machine's proxy only."""

    def argv(environment: Environment) -> list[str]:
        listen = ["--host", "127.0.0.1", "--port", str(environment.port_of(service))]
        behind = ["--proxy-headers", "--forwarded-allow-ips", "127.0.0.1", "--no-server-header"]
        return [
            sys.executable,
            "-m",
            "uvicorn",
            FACTORIES[service],
            "--factory",
            *listen,
            *behind,
            "--no-access-log",
            "--timeout-graceful-shutdown",
            str(GRACE_SECONDS),
        ]

    return argv


def settings_of(environment: Environment) -> "Settings":
    """The whole settings of this environment (heavier than the environment itself)."""
    from leitstand.settings import Settings

    return Settings(
        _secrets_dir=environment.secrets_dir, data_dir=environment.data_dir, port=environment.port
    )


def postgres_argv(environment: Environment) -> list[str]:
    """PostgreSQL in the foreground.

    Archiving is an option of this server and not in the cluster's files, so that a restored copy never archives.
    """
    from leitstand.backups.engines.registry import chosen

    settings = settings_of(environment)
    options = {
        "archive_mode": "on",
        "archive_timeout": str(ARCHIVE_SECONDS),
        "archive_command": chosen(settings).archive_command(settings),
        # With the time of every commit a drill can tell whether a restore to an instant is right.
        "track_commit_timestamp": "on",
    }
    return [
        *cluster(environment).server_command(),
        *(word for name, value in options.items() for word in ("-c", f"{name}={value}")),
    ]


def objects_argv(environment: Environment) -> list[str]:
    """The object store in the foreground."""
    return store(environment).server_command()


def objects_variables(environment: Environment) -> Variables:
    """Its signing keys and memory limit."""
    return store(environment).own_environment()


def worker_argv(_: Environment) -> list[str]:
    """Our queue worker (what `leitstand worker run` executes)."""
    return [sys.executable, "-m", "serving.worker"]


def proxy_argv(_: Environment) -> list[str]:
    """Caddy on the configuration of this repository; every varying part is a variable."""
    caddy = Path(sys.executable).parent / "caddy"
    return [str(caddy), "run", "--adapter", "caddyfile", "--config", str(TEMPLATES / "Caddyfile")]


def proxy_variables(environment: Environment) -> Variables:
    """Ports, Caddy's own folders, and the credential that it adds for people whom web has let through to Prefect."""
    home = environment.data_dir / "caddy"
    login = base64.b64encode(prefect_login(environment).encode()).decode()
    upstreams = {
        f"LEITSTAND_{service.name.upper().replace('-', '_')}": environment.address_of(service)
        for service in (*SERVICES, LAB)
    }
    return {
        **upstreams,
        "LEITSTAND_HOSTS": " ".join(allowed_hosts(os.environ.get("LEITSTAND_PUBLIC_URL", ""))),
        "LEITSTAND_PREFECT_AUTHORIZATION": f"Basic {login}",
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / "config"),
        "XDG_DATA_HOME": str(home / "data"),
        "GOMEMLIMIT": "128MiB",
    }


def allowed_hosts(public_url: str) -> list[str]:
    """Names under which the proxy answers: another name that resolves here (DNS rebinding) gets nothing."""
    public = public_url.partition("://")[2].partition("/")[0].rpartition("@")[2]
    name = public.rsplit(":", 1)[0] if not public.endswith("]") else public
    return ["127.0.0.1", "localhost", *([name] if name else [])]


def prefect_login(environment: Environment) -> str:
    """user:password of Prefect's API."""
    return f"{PREFECT_USER}:{environment.secret('prefect_password')}"


def prefect_variables(environment: Environment) -> Variables:
    """What every Prefect process needs; the UI's files are copied into the data folder, not into the packages."""
    from leitstand.jobs.prefect_environment import server_environment

    return server_environment(settings_of(environment))


def prefect_argv(_: Environment) -> list[str]:
    """Prefect's server."""
    from leitstand.jobs.prefect_environment import server_arguments

    return [sys.executable, *server_arguments()]


def prefect_worker_argv(_: Environment) -> list[str]:
    """A process worker of the pool that the flows are deployed to."""
    from leitstand.jobs.prefect_environment import worker_arguments

    return [sys.executable, *worker_arguments()]


PROGRAMS = (
    # PostgreSQL archives its last segment when it stops: the object store must still be there.
    Program(OBJECTS, objects_argv, objects_variables, wave=0, patience=15, lives=5),
    Program(POSTGRES, postgres_argv, nothing, wave=1, stop_signal="INT", patience=90, lives=5),
    Program(PREFECT, prefect_argv, prefect_variables, wave=2, patience=20, lives=30),
    Program(PREFECT_WORKER, prefect_worker_argv, prefect_variables, patience=30, lives=30),
    Program(WORKER, worker_argv, nothing, patience=30),
    *(Program(service, http_argv(service), nothing) for service in FACTORIES),
    Program(PROXY, proxy_argv, proxy_variables, wave=4, patience=15, lives=5),
)
BY_NAME = {program.service.name: program for program in PROGRAMS}
