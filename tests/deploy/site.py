"""A staging server's folder on this machine, and Docker Compose on it: what an operator's commands do, no more."""

import json
import os
import re
import shutil
import signal
import ssl
import subprocess
import sys
import time
from dataclasses import dataclass
from http.client import HTTPResponse, HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from leitstand.containers.site import ensure
from leitstand.services import COLOURED

REPOSITORY = Path(__file__).resolve().parents[2]
DEPLOY = REPOSITORY / "deploy"
FILES = ("compose.yaml", "compose.staging.yaml", "compose.monitoring.yaml")
FOLDERS = ("prometheus", "alertmanager", "blackbox")
# Of the rehearsal alone, written into the site's folder.
REHEARSAL = "compose.rehearsal.yaml"
HOST, HTTP_PORT, HTTPS_PORT = "localhost", 8480, 8443
OWNER = "owner@example.org"
SINGLES = ("proxy", "worker", "prefect", "prefect-worker", "cache", "postgres", "objects")
PATIENCE_SECONDS = 300.0
OBSERVE_SECONDS = "10"
SHOWN = 1500


def run(argv: list[str], *, seconds: float = 900, cwd: Path = REPOSITORY, **more: Any) -> str:
    """The standard output of a command that must end well."""
    done = subprocess.run(argv, cwd=cwd, capture_output=True, text=True, timeout=seconds, check=False, **more)
    if done.returncode:
        raise AssertionError(
            f"{' '.join(argv[:8])} ended with {done.returncode}: {(done.stdout + done.stderr)[-SHOWN:]}"
        )
    return str(done.stdout)


@dataclass
class Site:
    """The folder and the images that it runs."""

    folder: Path

    def lay_out(self, image: str, postgres: str) -> None:
        """Compose files, `.env`, secrets and state, as deploy/README.md says."""
        ensure(self.folder)
        for name in FILES:
            shutil.copy(DEPLOY / name, self.folder / name)
        for name in FOLDERS:
            shutil.copytree(DEPLOY / name, self.folder / name, dirs_exist_ok=True)
        containers = run(["docker", "info", "--format", "{{.DockerRootDir}}"]).strip() + "/containers"
        stand_ins = run([str(DEPLOY / "testing" / "bases"), "names"])
        variables = {
            "COMPOSE_FILE": ":".join((*FILES, REHEARSAL)),
            "COMPOSE_PROJECT_NAME": "leitstand",
            "LEITSTAND_ENVIRONMENT": "staging",
            "LEITSTAND_PUBLIC_URL": f"https://{HOST}:{HTTPS_PORT}",
            "LEITSTAND_TLS_ISSUER": "internal",
            "LEITSTAND_LISTEN": "127.0.0.1",
            "LEITSTAND_HTTP_PORT": HTTP_PORT,
            "LEITSTAND_HTTPS_PORT": HTTPS_PORT,
            "LEITSTAND_S3_ENDPOINT": "https://objects:8333",
            "LEITSTAND_S3_CA_FILE": "/run/secrets/objects_authority.pem",
            "LEITSTAND_IMAGE": image,
            "LEITSTAND_IMAGE_BLUE": image,
            "LEITSTAND_POSTGRES_IMAGE": postgres,
            "LEITSTAND_CONTAINER_LOGS": containers,
        }
        text = "".join(f"{name}={value}\n" for name, value in variables.items())
        (self.folder / ".env").write_text(text + stand_ins)

    def compose(self, *arguments: str, seconds: float = 900, given: str | None = None) -> str:
        """`docker compose ARGUMENTS` in the folder."""
        return run(["docker", "compose", *arguments], seconds=seconds, cwd=self.folder, input=given)

    def up(self, colour: str) -> None:
        """Everything, with one colour, until all is healthy."""
        services = [*SINGLES, *(f"{service.name}-{colour}" for service in COLOURED)]
        self.compose("up", "--detach", "--wait", "--wait-timeout", str(int(PATIENCE_SECONDS)), *services)

    def within(self, service: str, *command: str, given: str | None = None) -> str:
        """A command in the running container of a service."""
        return self.compose("exec", "-T", service, *command, given=given)

    def release(self, *arguments: str) -> tuple[int, str]:
        """`leitstand release ARGUMENTS` on this server: how it ended, and what it printed."""
        done = subprocess.run(
            self._release(*arguments), cwd=REPOSITORY, capture_output=True, text=True, timeout=1200, check=False, env=self._environment()
        )  # fmt: skip
        return done.returncode, done.stdout if done.returncode == 0 else done.stdout + done.stderr[-SHOWN:]

    def killed_at(self, step: str, *arguments: str) -> None:
        """The same, ended by SIGKILL when it begins a step."""
        process = subprocess.Popen(
            self._release(*arguments), cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=self._environment()
        )  # fmt: skip
        assert process.stderr is not None
        said = []
        for line in process.stderr:
            said.append(line)
            if line.startswith(f"{step} …"):
                process.kill()
                break
        process.wait(PATIENCE_SECONDS)
        process.stderr.close()
        assert said and said[-1].startswith(f"{step} …"), f"it never came to {step}: {''.join(said)[-SHOWN:]}"

    def _release(self, *arguments: str) -> list[str]:
        return [sys.executable, "-P", "-m", "leitstand", "release", "--folder", str(self.folder), *arguments]

    def _environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "LEITSTAND_RELEASE_OBSERVE_SECONDS": OBSERVE_SECONDS,
            "LEITSTAND_RELEASE_FREE_GB": "1",
        }

    def containers(self) -> dict[str, dict[str, Any]]:
        """What the engine says of every container, by service."""
        project = ["--filter", "label=com.docker.compose.project=leitstand"]
        ids = run(
            [
                "docker",
                "ps",
                "--all",
                "--quiet",
                *project,
                "--filter",
                "label=com.docker.compose.oneoff=False",
            ]
        ).split()
        found = json.loads(run(["docker", "inspect", *ids]))
        return {one["Config"]["Labels"]["com.docker.compose.service"]: one for one in found}

    def health(self, service: str) -> tuple[int, str]:
        """Process id and health of a service."""
        state = self.containers()[service]["State"]
        return state["Pid"], state.get("Health", {}).get("Status", "none") if state["Running"] else "gone"

    def kill(self, service: str) -> float:
        """End a service as a crash does, and wait until the engine has it back; seconds until it is healthy.

        `docker kill` would count as somebody's wish that it stays away.
        """
        before, _ = self.health(service)
        os.kill(before, signal.SIGKILL)
        began = time.monotonic()
        while True:
            pid, health = self.health(service)
            if pid not in {0, before} and health == "healthy":
                return round(time.monotonic() - began, 1)
            assert time.monotonic() - began < PATIENCE_SECONDS, f"{service} does not come back: {health}"
            time.sleep(0.3)

    def trust(self) -> ssl.SSLContext:
        """Trusts the proxy's own authority and nothing else."""
        path = "/data/caddy/data/caddy/pki/authorities/local/root.crt"
        return ssl.create_default_context(
            cadata=self.within("proxy", "python", "-c", f"print(open('{path}').read())")
        )


@dataclass
class Visitor:
    """Somebody with a browser: cookies, and no more."""

    context: ssl.SSLContext
    cookie: str = ""

    def ask(
        self, path: str, *, form: dict[str, str] | None = None, headers: dict[str, str] | None = None
    ) -> tuple[HTTPResponse, str]:
        """An answer and its text; cookies are kept."""
        connection = HTTPSConnection(HOST, HTTPS_PORT, timeout=30, context=self.context)
        sent = {
            "Accept": "text/html",
            "Cookie": self.cookie,
            "Origin": f"https://{HOST}:{HTTPS_PORT}",
            **(headers or {}),
        }
        if form is None:
            connection.request("GET", path, headers=sent)
        else:
            sent["Content-Type"] = "application/x-www-form-urlencoded"
            connection.request("POST", path, urlencode(form), sent)
        answer = connection.getresponse()
        text = answer.read().decode(errors="replace")
        for name, value in answer.getheaders():
            if name.lower() == "set-cookie" and (found := re.match(r"leitstand_session=[^;]+", value)):
                assert "Secure" in value and "HttpOnly" in value, value.partition("=")[0]
                self.cookie = found[0]
        connection.close()
        return answer, text

    def sign_in(self, password: str) -> None:
        """With the form that people see."""
        answer, _ = self.ask("/sign-in", form={"email": OWNER, "password": password, "next": "/"})
        assert answer.status == 303 and self.cookie, f"signing in answers {answer.status}"
