"""What each container of deploy/compose.yaml executes: one image, one process a container, addresses by name.

The embedded environment's counterpart is `leitstand.embedded.programs`. Secrets are read from the files that the engine
mounts and go into the environment of the one process that needs them, never into its arguments.
"""

import base64
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from leitstand.errors import PreconditionFailed, Unavailable
from leitstand.services import COLOURED, OBJECTS, PREFECT, PREFECT_WORKER, PROXY, WORKER, Service
from leitstand.settings import REPOSITORY, Settings

CADDYFILE = REPOSITORY / "deploy" / "caddy" / "Caddyfile"
COLOURS = ("blue", "green")
S3_PORT = 8333
OBJECTS_PORT = 8400
DEPLOY_SECONDS = 180
DEPLOY_ATTEMPTS = 5

Program = tuple[list[str], dict[str, str]]


def program(name: str, settings: Settings) -> Program:
    """The command of a service and what it gets on top of the container's own environment.

    Raises:
        PreconditionFailed: a secret or a file that it needs is missing.
        Unavailable: what it needs first does not answer.
    """
    return _PROGRAMS[name](settings)


def upstreams(service: Service, port: int) -> str:
    """Every address of a service, as the proxy knows it: of both colours, of which one may be away."""
    if service not in COLOURED:
        return f"{service.name}:{port}"
    return " ".join(f"{service.name}-{colour}:{port}" for colour in COLOURS)


def _http(service: Service) -> Callable[[Settings], Program]:
    return lambda _: ([sys.executable, "-m", "serving.run", service.name], {})


def _worker(_: Settings) -> Program:
    return [sys.executable, "-m", "serving.worker"], {}


def _prefect(settings: Settings) -> Program:
    from leitstand.jobs.prefect_environment import server_arguments, server_environment

    return [sys.executable, *server_arguments()], server_environment(settings)


def _prefect_worker(settings: Settings) -> Program:
    """The flows are brought to Prefect first: the worker needs the pool that is made with them.

    It is the only worker, so that what an earlier one left unfinished is called crashed.
    """
    from leitstand.jobs.prefect_environment import server_environment, worker_arguments

    variables = server_environment(settings)
    _deploy_flows(variables)
    return [sys.executable, *worker_arguments()], variables


def _deploy_flows(variables: Mapping[str, str]) -> None:
    argv = [sys.executable, "-m", "flows.deploy", "--crash-unfinished"]
    for _ in range(DEPLOY_ATTEMPTS):
        done = subprocess.run(argv, env={**os.environ, **variables}, check=False, timeout=DEPLOY_SECONDS)
        if done.returncode == 0:
            return
    raise Unavailable(
        "The flows could not be brought to Prefect.", hint="See the log of this container and of prefect."
    )


def proxy_variables(settings: Settings) -> dict[str, str]:
    """What the proxy's configuration names: addresses, and the credential that it adds for operators let through to Prefect."""
    from leitstand.jobs.prefect_environment import credentials

    login = base64.b64encode(":".join(credentials(settings)).encode()).decode()
    addresses = {
        f"LEITSTAND_{service.name.upper()}": upstreams(service, settings.service_port)
        for service in (*COLOURED, PREFECT)
    }
    site = urlsplit(settings.public_url)
    if site.scheme != "https" or not site.hostname:
        raise PreconditionFailed(
            "The proxy needs the https address that people type.", hint="Set LEITSTAND_PUBLIC_URL."
        )
    home = settings.data_dir / "caddy"
    return {
        **addresses,
        "LEITSTAND_LAB": "lab:8000",
        "LEITSTAND_SITE": site.hostname,
        "LEITSTAND_HOSTS": site.hostname,
        "LEITSTAND_PREFECT_AUTHORIZATION": f"Basic {login}",
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / "config"),
        "XDG_DATA_HOME": str(home / "data"),
        "GOMEMLIMIT": "200MiB",
    }


def _proxy(settings: Settings) -> Program:
    caddy = Path(sys.executable).parent / "caddy"
    argv = [str(caddy), "run", "--adapter", "caddyfile", "--config", str(CADDYFILE)]
    return argv, proxy_variables(settings)


def _objects(settings: Settings) -> Program:
    """The object store of an environment that has none of its own, over TLS with the certificate in the secrets' folder."""
    from leitstand.embedded.objects import ObjectStore

    store = ObjectStore(
        settings.data_dir / "objects",
        OBJECTS_PORT,
        settings.s3_access_key.get_secret_value(),
        settings.s3_secret_key.get_secret_value(),
    )
    store.create()
    tls = [
        # Its inner ports ask for keys and certificates of its own, wherever they are reached from.
        "-ip.bind=0.0.0.0",
        f"-s3.port.https={S3_PORT}",
        f"-s3.cert.file={settings.secrets_dir / 'objects_certificate.pem'}",
        f"-s3.key.file={settings.secrets_dir / 'objects_key.pem'}",
    ]
    return [*store.server_command(), *tls], store.own_environment()


_PROGRAMS: dict[str, Callable[[Settings], Program]] = {
    **{service.name: _http(service) for service in COLOURED},
    WORKER.name: _worker,
    PREFECT.name: _prefect,
    PREFECT_WORKER.name: _prefect_worker,
    PROXY.name: _proxy,
    OBJECTS.name: _objects,
}
NAMES = tuple(_PROGRAMS)
