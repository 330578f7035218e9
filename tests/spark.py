"""A Spark cluster of this machine's own for tests: a master, two workers and a Spark Connect server, each a process."""

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HOST = "127.0.0.1"
WORKERS = 2
PATIENCE = 180
DAEMON, DRIVER, EXECUTOR = "256m", "640m", "640m"
# Short lives, little memory: code that is compiled to the utmost comes too late for the few questions of a test.
JVM = "-XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xshare:auto"
CONFIGURATION = {
    "spark.cores.max": WORKERS,
    "spark.executor.cores": 1,
    "spark.executor.memory": EXECUTOR,
    "spark.executor.extraJavaOptions": JVM,
    "spark.driver.host": HOST,
    "spark.driver.bindAddress": HOST,
    "spark.sql.shuffle.partitions": WORKERS,
    "spark.ui.enabled": "true",
    "spark.ui.showConsoleProgress": "false",
    # Each question of a test is another one: code that is made for it would run once.
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    # What a test's few rows are is spread over both workers, however few.
    "spark.locality.wait": "0",
}


@dataclass(frozen=True)
class SparkCluster:
    """Where it is.

    Args:
        master, monitor: web addresses of the master, and of the Connect server's monitor.
        folder: with the processes' logs.
        server: the process of the Connect server.
    """

    url: str
    token: str
    master: str
    monitor: str
    folder: Path
    server: subprocess.Popen[bytes]

    def workers(self) -> list[dict[str, Any]]:
        """The workers that are registered and alive, as the master tells."""
        found = json.loads(_read(f"{self.master}/json/"))
        return [worker for worker in found["workers"] if worker["state"] == "ALIVE"]

    def tasks_of_executors(self) -> dict[str, int]:
        """How many tasks each worker's executor has finished, as the Connect server tells."""
        applications = f"{self.monitor}/api/v1/applications"
        (application,) = json.loads(_read(applications))
        found = json.loads(_read(f"{applications}/{application['id']}/executors"))
        return {it["id"]: it["completedTasks"] for it in found if it["id"] != "driver"}


def java() -> str | None:
    """Java, if there is one."""
    return shutil.which("java")


@contextmanager
def spark_cluster(folder: Path) -> Iterator[SparkCluster]:
    """Start the cluster, wait until both workers serve it, and stop it again."""
    import pyspark

    home = Path(pyspark.__file__).parent
    token = secrets.token_urlsafe(24)
    environment = {
        **{
            name: value for name, value in os.environ.items() if not name.startswith(("SPARK_", "LEITSTAND_"))
        },
        "SPARK_HOME": str(home),
        "SPARK_LOCAL_IP": HOST,
        "SPARK_NO_DAEMONIZE": "1",
        "SPARK_DAEMON_MEMORY": DAEMON,
        "SPARK_DAEMON_JAVA_OPTS": JVM,
    }
    rpc, web, monitor, connect = free_ports(4)
    launch = str(home / "bin" / "spark-class")
    master = f"spark://{HOST}:{rpc}"
    with ExitStack() as started:

        def start(name: str, *command: str, **more: str) -> subprocess.Popen[bytes]:
            log = started.enter_context((folder / f"{name}.log").open("wb"))
            process = subprocess.Popen(
                command, cwd=folder, env=environment | more, stdout=log, stderr=log, start_new_session=True
            )
            started.callback(_end, process)
            return process

        package = "org.apache.spark.deploy"
        start(
            "master",
            launch,
            f"{package}.master.Master",
            "--host",
            HOST,
            "--port",
            str(rpc),
            "--webui-port",
            str(web),
        )
        for number in range(WORKERS):
            start(
                f"worker{number}", launch, f"{package}.worker.Worker", "--host", HOST, "--cores", "1",
                "--memory", EXECUTOR, "--webui-port", "0", "--work-dir", str(folder / f"work{number}"), master,
            )  # fmt: skip
        settings = CONFIGURATION | {
            "spark.connect.grpc.binding.address": HOST,
            "spark.connect.grpc.binding.port": connect,
            "spark.ui.port": monitor,
        }
        server = start(
            "server", str(home / "bin" / "spark-submit"),
            "--class", "org.apache.spark.sql.connect.service.SparkConnectServer",
            "--master", master, "--name", "leitstand", "--driver-memory", DRIVER, "--driver-java-options", JVM,
            *(part for name, value in settings.items() for part in ("--conf", f"{name}={value}")),
            "spark-internal",
            SPARK_CONNECT_AUTHENTICATE_TOKEN=token, SPARK_DAEMON_MEMORY=DRIVER,
        )  # fmt: skip
        found = SparkCluster(
            f"sc://localhost:{connect}",
            token,
            f"http://{HOST}:{web}",
            f"http://{HOST}:{monitor}",
            folder,
            server,
        )
        _wait(found, connect)
        yield found


def free_ports(count: int) -> list[int]:
    """Ports of this machine that nobody listens on."""
    with ExitStack() as held:
        probes = [held.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind((HOST, 0))
        return [int(probe.getsockname()[1]) for probe in probes]


def _wait(cluster: SparkCluster, port: int) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if cluster.server.poll() is not None:
            break
        with suppress(OSError):
            socket.create_connection((HOST, port), 1).close()
            if sum(worker["coresused"] for worker in cluster.workers()) == WORKERS:
                return
        time.sleep(0.25)
    raise RuntimeError(
        f"the Spark cluster does not start: {(cluster.folder / 'server.log').read_text()[-2000:]}"
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process and what it started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _read(url: str) -> bytes:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=60) as answer:
        body: bytes = answer.read()
    return body
