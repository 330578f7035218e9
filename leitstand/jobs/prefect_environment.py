"""The environment of every Prefect process: server, worker, deployment and the flow runs that the worker starts.

One function, so that the supervisor, the tests and the command line agree. Prefect itself is not imported here.
"""

import os

from sqlalchemy import make_url

from leitstand.services import PREFECT, PREFECT_WORKER
from leitstand.settings import REPOSITORY, Settings

BASE_PATH = "/prefect"
USER = "admin"
WORK_POOL = "leitstand"
DATABASE = "prefect"
HEARTBEAT_SECONDS = 30
# How long a run that has not yet begun, or whose process died, holds up the next of its deployment.
LEASE_SECONDS = 120
RETENTION_SECONDS = 30 * 24 * 3600
EVENT_RETENTION = "P7D"
# Flow runs at one time: each is a process of its own of about 150 MB.
WORKER_LIMIT = 3


def api_url(settings: Settings) -> str:
    """Address of the Prefect API, without a trailing slash."""
    return f"{settings.address_of(PREFECT)}{BASE_PATH}/api"


def credentials(settings: Settings) -> tuple[str, str]:
    """User and password of the Prefect API."""
    return USER, settings.prefect_password.get_secret_value()


def database_url(settings: Settings) -> str:
    """Prefect's own database, beside ours on the same server (holds the password: never log it)."""
    url = make_url(settings.database_url).set(drivername="postgresql+asyncpg", database=DATABASE)
    return url.render_as_string(hide_password=False)


def prefect_environment(settings: Settings) -> dict[str, str]:
    """What to add to the environment of a Prefect process of this environment; secrets are only ever in here."""
    return {**_shared(settings), **_server(settings), **_worker(settings), **_ours(settings)}


def server_environment(settings: Settings) -> dict[str, str]:
    """The same for a server that is supervised; the UI's files are copied into the data folder, not into the packages."""
    own = {
        "PREFECT__SERVER_FINAL": "1",
        "PREFECT_SERVER_UI_STATIC_DIRECTORY": str(settings.data_dir / "prefect" / "ui"),
        # The second UI asks an analytics host at every page (and is stopped by the proxy's CSP); the first does not.
        "PREFECT_SERVER_UI_V2_ENABLED": "false",
    }
    return prefect_environment(settings) | own


def _shared(settings: Settings) -> dict[str, str]:
    return {
        "PREFECT_HOME": str(settings.data_dir / "prefect"),
        "PREFECT_API_URL": api_url(settings),
        "PREFECT_API_AUTH_STRING": ":".join(credentials(settings)),
        "DO_NOT_TRACK": "1",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_LOGGING_COLORS": "false",
        "PREFECT_LOGGING_FORMATTERS_JSON_CLASS": "flows.logs.JsonLines",
        "PREFECT_LOGGING_HANDLERS_CONSOLE_FORMATTER": "json",
        "PREFECT_CLI_COLORS": "false",
        "PREFECT_CLI_PROMPT": "false",
        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": str(HEARTBEAT_SECONDS),
    }


def _server(settings: Settings) -> dict[str, str]:
    return {
        "PREFECT_SERVER_API_HOST": settings.host,
        "PREFECT_SERVER_API_PORT": str(settings.port_of(PREFECT)),
        "PREFECT_SERVER_API_BASE_PATH": f"{BASE_PATH}/api",
        "PREFECT_SERVER_API_AUTH_STRING": ":".join(credentials(settings)),
        "PREFECT_SERVER_API_CORS_ALLOWED_ORIGINS": settings.base_url,
        "PREFECT_SERVER_UI_SERVE_BASE": BASE_PATH,
        "PREFECT_SERVER_UI_API_URL": f"{BASE_PATH}/api",
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": database_url(settings),
        "PREFECT_SERVER_DATABASE_SQLALCHEMY_POOL_SIZE": "5",
        "PREFECT_SERVER_DATABASE_SQLALCHEMY_MAX_OVERFLOW": "10",
        "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
        "PREFECT_SERVER_SERVICES_DB_VACUUM_RETENTION_PERIOD": str(RETENTION_SECONDS),
        "PREFECT_SERVER_EVENTS_RETENTION_PERIOD": EVENT_RETENTION,
        # Kept in files, a running flow's slot outlives a restart of the server; kept in memory, the run would be cancelled.
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
        "PREFECT_SERVER_CONCURRENCY_INITIAL_DEPLOYMENT_LEASE_DURATION": str(LEASE_SECONDS),
    }


def _worker(settings: Settings) -> dict[str, str]:
    return {
        "PREFECT_WORKER_QUERY_SECONDS": "5",
        "PREFECT_WORKER_WEBSERVER_HOST": settings.host,
        "PREFECT_WORKER_WEBSERVER_PORT": str(settings.port_of(PREFECT_WORKER)),
    }


def _ours(settings: Settings) -> dict[str, str]:
    """What a flow run's process needs to find the code and the environment that it works for."""
    paths = [
        str(REPOSITORY),
        *(
            path
            for path in os.environ.get("PYTHONPATH", "").split(os.pathsep)
            if path and path != str(REPOSITORY)
        ),
    ]
    return {
        "PYTHONPATH": os.pathsep.join(paths),
        "LEITSTAND_DATA_DIR": str(settings.data_dir),
        "LEITSTAND_HOST": settings.host,
        "LEITSTAND_PORT": str(settings.port),
        "NO_PROXY": ",".join(filter(None, [os.environ.get("NO_PROXY", ""), settings.host, "localhost"])),
    }


def server_arguments() -> list[str]:
    """Arguments of the Python that runs the server in the foreground."""
    return ["-m", "prefect", "server", "start"]


def worker_arguments() -> list[str]:
    """Arguments of the Python that runs the worker in the foreground, with its health endpoint."""
    return ["-m", "flows.worker"]


def prefect_worker_options() -> list[str]:
    """Arguments of Prefect's command line, for the worker."""
    return [
        "worker",
        "start",
        "--pool",
        WORK_POOL,
        "--type",
        "process",
        "--limit",
        str(WORKER_LIMIT),
        "--with-healthcheck",
        "--no-create-pool-if-not-found",
    ]
