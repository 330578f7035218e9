"""A real Prefect server and worker on a database of their own, for the tests of this folder."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import httpx
import psycopg
from psycopg import sql

from leitstand.embedded.postgres import Cluster
from leitstand.jobs import prefect_environment as module
from leitstand.services import PREFECT_WORKER
from leitstand.settings import Settings
from tests.waiting import wait_until

LIMIT = 120.0
IGNORING_SIGINT = 'trap \'\' INT; exec "$0" "$@"'
SCHEDULES = """
[[deployment]]
name = "ingest-inbox"
flow = "ingest_events.ingest_inbox"
description = "Import the event files in the inbox folders of the workspaces."
cron = "* * * * *"
zone = "Asia/Kathmandu"

[[deployment]]
name = "backup-postgres"
flow = "backup.back_up"
cron = "15 2 * * *"
parameters = { kind = "postgres" }

[[deployment]]
name = "inbox-by-hand"
flow = "ingest_events.ingest_inbox"

[[deployment]]
name = "data-checks"
flow = "data_checks.check_data"

[[deployment]]
name = "keep-events"
flow = "keep_events.keep_events"
"""


class PrefectServices:
    """Server and worker as processes."""

    def __init__(self, settings: Settings, cluster: Cluster, folder: Path) -> None:
        self.settings, self.cluster, self.folder = settings, cluster, folder
        self.database = f"prefect_{uuid4().hex[:8]}"
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        with psycopg.connect(cluster.conninfo("postgres"), autocommit=True) as admin:
            admin.execute(sql.SQL("CREATE DATABASE {} OWNER leitstand").format(sql.Identifier(self.database)))

    @property
    def environment(self) -> dict[str, str]:
        """Environment of both, and of what deploys to them."""
        ours = module.prefect_environment(self.settings)
        ours["PREFECT_SERVER_DATABASE_CONNECTION_URL"] = ours[
            "PREFECT_SERVER_DATABASE_CONNECTION_URL"
        ].replace(f"/{module.DATABASE}", f"/{self.database}")
        return {
            **os.environ,
            **ours,
            "PREFECT_WORKER_QUERY_SECONDS": "1",
            "LEITSTAND_PREFECT_PASSWORD": self.settings.prefect_password.get_secret_value(),
        }

    def start(self, name: str, arguments: list[str]) -> None:
        """Start a process whose SIGINT is ignored, as that of a shell's background job is."""
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                ["sh", "-c", IGNORING_SIGINT, sys.executable, *arguments],
                env=self.environment,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                start_new_session=True,
            )

    def start_server(self) -> None:
        self.start("server", module.server_arguments())

    def start_worker(self) -> None:
        self.start("worker", module.worker_arguments())
        url = self.settings.address_of(PREFECT_WORKER) + PREFECT_WORKER.health
        wait_until(lambda: answers(url))

    def deploy(self, *options: str) -> str:
        """Run `python -m flows.deploy` and give what it logged."""
        done = subprocess.run(
            [sys.executable, "-m", "flows.deploy", *options],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=LIMIT,
        )
        assert done.returncode == 0, done.stderr
        return done.stderr

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text()

    def kill(self, name: str, number: int = signal.SIGKILL) -> int:
        """Signal a process (with its group where it is killed) and wait for its end."""
        process = self.processes.pop(name)
        if number == signal.SIGKILL:
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)
        return process.wait(60)

    def close(self) -> None:
        """End both and drop the database."""
        for name in [name for name in ("worker", "server") if name in self.processes]:
            self.kill(name)
        with psycopg.connect(self.cluster.conninfo("postgres"), autocommit=True) as admin:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(self.database)))


def answers(url: str) -> bool:
    """Whether an address answers with success."""
    try:
        return httpx.get(url, timeout=2, trust_env=False).is_success
    except httpx.HTTPError:
        return False
