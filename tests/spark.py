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
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HOST = "127.0.0.1"
WORKERS = 2
PATIENCE = 180
DAEMON, MEMORY = "256m", "640m"
# Short lives, little memory: code that is compiled to the utmost comes too late for the few questions of a test.
JVM = "-XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xshare:auto"
# Each question of a test is another one: code that is made for it would run once.
QUICK = {"spark.sql.codegen.wholeStage": "false", "spark.sql.codegen.factoryMode": "NO_CODEGEN"}


def _configuration(memory: str) -> dict[str, object]:
    return {
        "spark.cores.max": WORKERS,
        "spark.executor.cores": 1,
        "spark.executor.memory": memory,
        "spark.driver.host": HOST,
        "spark.driver.bindAddress": HOST,
        "spark.sql.shuffle.partitions": WORKERS,
        "spark.ui.showConsoleProgress": "false",
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


class Launcher:
    """Starts Spark's processes in a folder, and ends them.

    Args:
        jvm: options of every process.
        settings: Spark's; no argument holds any of them, nor the secret that the processes share.
    """

    def __init__(self, held: ExitStack, folder: Path, jvm: str, settings: Mapping[str, object]) -> None:
        import pyspark

        self.home = Path(pyspark.__file__).parent
        self.folder = folder
        # What a killed process leaves lies in the folder.
        self.jvm = f"{jvm} -XX:-UsePerfData -Djava.io.tmpdir={folder}"
        self._held = held
        ours = ("SPARK_", "LEITSTAND_")
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(ours)},
            "SPARK_HOME": str(self.home),
            "SPARK_LOCAL_IP": HOST,
            "SPARK_CONF_DIR": str(folder),
            "SPARK_LOCAL_DIRS": str(folder / "local"),
            "SPARK_NO_DAEMONIZE": "1",
            "SPARK_DAEMON_MEMORY": DAEMON,
            "SPARK_DAEMON_JAVA_OPTS": self.jvm,
        }
        options = {"spark.executor.extraJavaOptions": self.jvm, "spark.driver.extraJavaOptions": self.jvm}
        file = folder / "spark-defaults.conf"
        file.touch(0o600)
        file.write_text("".join(f"{name} {value}\n" for name, value in (dict(settings) | options).items()))

    def daemon(self, name: str, kind: str, *arguments: str) -> None:
        """A master or a worker."""
        self._start(name, "spark-class", f"org.apache.spark.deploy.{kind}", "--host", HOST, *arguments)

    def server(self, master: str, memory: str, token: str) -> subprocess.Popen[bytes]:
        """The Connect server, which asks its clients for the token."""
        return self._start(
            "server", "spark-submit", "--class", "org.apache.spark.sql.connect.service.SparkConnectServer",
            "--master", master, "--driver-memory", memory, "spark-internal",
            SPARK_CONNECT_AUTHENTICATE_TOKEN=token, SPARK_DAEMON_MEMORY=memory,
        )  # fmt: skip

    def _start(self, name: str, program: str, *arguments: str, **more: str) -> subprocess.Popen[bytes]:
        log = self._held.enter_context((self.folder / f"{name}.log").open("wb"))
        process = subprocess.Popen(
            [str(self.home / "bin" / program), *arguments],
            cwd=self.folder,
            env=self._environment | more,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        self._held.callback(_end, process)
        return process


@contextmanager
def spark_cluster(
    folder: Path, *, memory: str = MEMORY, jvm: str = JVM, configuration: Mapping[str, object] = QUICK
) -> Iterator[SparkCluster]:
    """Start the cluster, wait until both workers serve it, and stop it again.

    Args:
        memory: of the Connect server and of each worker.
        jvm: options of every process.
        configuration: more of Spark's settings.
    """
    token = secrets.token_urlsafe(24)
    rpc, web, monitor, connect = free_ports(4)
    master = f"spark://{HOST}:{rpc}"
    settings = {
        **_configuration(memory),
        **configuration,
        "spark.authenticate": "true",
        "spark.authenticate.secret": secrets.token_urlsafe(24),
        "spark.connect.grpc.binding.address": HOST,
        "spark.connect.grpc.binding.port": connect,
        "spark.ui.port": monitor,
    }
    with ExitStack() as held:
        launcher = Launcher(held, folder, jvm, settings)
        launcher.daemon("master", "master.Master", "--port", str(rpc), "--webui-port", str(web))
        for number in range(WORKERS):
            place = ("--webui-port", "0", "--work-dir", str(folder / f"work{number}"))
            launcher.daemon(
                f"worker{number}", "worker.Worker", "--cores", "1", "--memory", memory, *place, master
            )
        server = launcher.server(master, memory, token)
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
