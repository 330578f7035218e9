"""`./run test deploy`: builds the images, brings the staging environment up in containers, and does to it what happens to one.

Where no container engine runs and none can be had, it validates what it can and says what it did not do.
"""

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from leitstand.releases.host import BLUE, other
from leitstand.services import COLOURED
from tests.deploy.load import Load
from tests.deploy.record import FAILED, NOT_DONE, PASSED, NotDone, Record
from tests.deploy.site import (
    DEPLOY,
    HOST,
    HTTP_PORT,
    HTTPS_PORT,
    OWNER,
    REPOSITORY,
    SINGLES,
    Site,
    Visitor,
    run,
)
from tests.deploy.watching import Watching, override

IMAGE, NEXT, POSTGRES = "leitstand:test", "leitstand:test-next", "leitstand-postgres:test"
CALM_SECONDS, ROLLBACK_SECONDS = 5.0, 60.0
# A server that was just made has never copied its objects or its secrets.
ACCEPTED = ("--accept", "alerts-firing")
ENGINE = DEPLOY / "testing" / "engine"
# Root's user, of whose powers only these stay: the log store reads Docker's files; the other gives secrets away, and ends.
POWERS = {"logs": {"DAC_READ_SEARCH"}, "watching": {"CHOWN", "DAC_READ_SEARCH"}}
PAGES = (
    ("/", 200),
    ("/operations", 200),
    ("/sign-in", 303),
    ("/api/v1/me", 200),
    ("/c/nothing-here", 404),
    ("/query/v1/search?q=anything", 200),
    ("/insights", 200),
)


class Rehearsal:
    """One run."""

    def __init__(self, folder: Path, record: Record) -> None:
        self.site, self.record = Site(folder / "site"), record
        self.watching = Watching(self.site)
        self.visitor: Visitor | None = None
        self.colour, self.ids = BLUE, dict[str, str]()

    def run(self) -> None:
        """Every step; those after one that the others stand on are not done when it fails."""
        for name, work in (
            ("container engine", self.engine),
            ("base images", self.bases),
            ("image of PostgreSQL", lambda: self.build(POSTGRES, "postgres/Dockerfile")),
            ("image of Leitstand", lambda: self.build(IMAGE, "Dockerfile")),
            ("another image of Leitstand", lambda: self.build(NEXT, "Dockerfile", "REVISION=next")),
            ("everything up and healthy", self.up),
            ("sign-in over TLS", self.sign_in),
        ):
            if not self.record.step(name, work):
                self.record.step("everything after that", _not_done("it stands on what did not pass"))
                return
        with self.watching.receiver():
            self.live()

    def live(self) -> None:
        """What happens to an environment that is up."""
        self.record.step("smoke", self.smoke)
        self.record.step("what watches, up and healthy", self.watching.up)
        self.record.step("every service is seen", lambda: self.watching.sees(self.colour))
        self.record.step("containers as they should be", self.hardening)
        self.record.step("a stranger at the object store", self.strangers)
        self.record.step("request id in the logs of proxy and service", self.request_ids)
        self.record.step("a release is refused before a restore was proven", self.refused)
        self.record.step("backup by pgBackRest into the store", self.backup)
        self.record.step("restore, checked by a drill", self.restore)
        self.record.step("migrations on a restored copy", self.migrations)
        self.record.step("no alert at rest", self.watching.quiet)
        self.record.step("release under load", self.release)
        self.record.step("rollback under load", self.rollback)
        self.record.step("a killed release goes on under load", self.killed)
        self.record.step("maintenance page", self.maintenance)
        for service in [*(f"{one.name}-{self.colour}" for one in COLOURED), *SINGLES]:
            self.record.step(f"{service} killed", partial(self.kill, service))
        self.record.step("an alert for every service that is away", lambda: self.watching.away(self.colour))
        self.record.step("smoke after all", self.smoke)

    def engine(self) -> dict[str, Any]:
        """One that runs already, else Debian's."""
        if _docker_answers():
            return {"engine": "the one that runs here"}
        done = subprocess.run([str(ENGINE), "up"], capture_output=True, text=True, check=False, timeout=600)
        if done.returncode:
            raise NotDone(done.stderr.strip()[-300:])
        for word in done.stdout.split()[1:]:
            name, _, value = word.partition("=")
            os.environ[name] = value.removesuffix(':"$PATH"') + (
                f":{os.environ['PATH']}" if name == "PATH" else ""
            )
        return {"engine": run(["docker", "version", "--format", "{{.Server.Version}}"]).strip()}

    def bases(self) -> None:
        """Stand-ins, unless the engine has the real ones."""
        run([str(DEPLOY / "testing" / "bases")])

    def build(self, name: str, dockerfile: str, *arguments: str) -> dict[str, Any]:
        """As CI does."""
        more = [word for argument in arguments for word in ("--build-arg", argument)]
        run(
            [
                "docker",
                "build",
                "--quiet",
                "--network",
                "host",
                "--tag",
                name,
                *more,
                "--file",
                str(DEPLOY / dockerfile),
                ".",
            ],
            seconds=1800,
        )
        identity, size = run(["docker", "image", "inspect", "--format", "{{.Id}} {{.Size}}", name]).split()
        # Without a registry an image has no digest: its id says as much.
        self.ids[name] = identity
        return {"MB": int(size) // 1_000_000}

    def up(self) -> dict[str, Any]:
        """From an empty folder."""
        self.site.lay_out(IMAGE, POSTGRES)
        override(self.site.folder)
        self.site.compose("down", "--volumes", "--remove-orphans")
        self.site.up("blue")
        return {"containers": len(self.site.containers())}

    def sign_in(self) -> dict[str, Any]:
        """The first owner, as an operator makes one, then the form that people see."""
        service = f"web-{self.colour}"
        self.site.within(service, "leitstand", "workspace", "create", "demo", "--zone", "Europe/Berlin")
        told = self.site.within(
            service,
            "leitstand",
            "person",
            "create-owner",
            "--workspace",
            "demo",
            "--email",
            OWNER,
            "--generate",
            "--json",
        )
        self.visitor = Visitor(self.site.trust())
        self.visitor.sign_in(json.loads(told)["password"])
        answer, _ = self.visitor.ask("/")
        assert answer.status == 200, f"home answers {answer.status}"
        return {"hsts": answer.getheader("strict-transport-security")}

    def smoke(self) -> dict[str, Any]:
        """Pages of every service through the proxy, and what must not be reachable."""
        visitor = self._visitor()
        for path, wanted in PAGES:
            answer, _ = visitor.ask(path)
            assert answer.status == wanted, f"{path} answers {answer.status}, not {wanted}"
        stranger = Visitor(visitor.context)
        for path, wanted in (
            ("/metrics", 404),
            ("/readyz", 404),
            ("/proxyz", 404),
            ("/api/v1/me", 401),
            ("/prefect/", 302),
        ):
            answer, _ = stranger.ask(path)
            assert answer.status == wanted, f"to a stranger {path} answers {answer.status}, not {wanted}"
        answer, text = visitor.ask("/prefect/api/health")
        assert (answer.status, text) == (200, "true"), f"Prefect answers {answer.status} to the owner"
        with socket.create_connection((HOST, HTTP_PORT), timeout=10) as plain:
            plain.sendall(f"GET / HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode())
            assert b" 308 " in plain.recv(64), "HTTP is not redirected"
        health = json.loads(self.site.within(f"web-{self.colour}", "leitstand", "health", "--json"))
        self.site.within("worker", "leitstand", "storage", "probe")
        return {"pages": len(PAGES) + 7, "services": len(health["services"])}

    def hardening(self) -> dict[str, Any]:
        """What the engine says of every container that runs."""
        found = self.site.containers()
        for service, one in found.items():
            host, config = one["HostConfig"], one["Config"]
            assert host["ReadonlyRootfs"], f"{service} may write to its root"
            kept = {name.removeprefix("CAP_") for name in host["CapAdd"] or ()}
            assert host["CapDrop"] == ["ALL"], f"{service} keeps capabilities"
            assert kept == POWERS.get(service, set()), f"{service} has {kept}"
            assert "no-new-privileges:true" in host["SecurityOpt"], f"{service} may gain privileges"
            root = config["User"].split(":")[0] in {"", "root", "0"}
            assert not root or service in POWERS, f"{service} runs as root"
            assert host["Memory"] and host["PidsLimit"] and host["Init"], f"{service} has no limits"
            assert host["LogConfig"]["Config"].get("max-size"), f"{service}'s log is not rotated"
            published = {port for port, bound in (host["PortBindings"] or {}).items() if bound}
            assert service == "proxy" or not published, f"{service} publishes {published}"
            secrets = [
                value
                for value in config["Env"]
                if "PASSWORD=" in value or ("SECRET" in value and "SECRETS_FOLDER" not in value)
            ]
            assert not secrets, f"{service} has secrets among its variables"
        return {"containers": len(found)}

    def strangers(self) -> dict[str, Any]:
        """Every port of the store, asked without a credential from within the private network."""
        script = (REPOSITORY / "tests" / "deploy" / "stranger.py").read_text()
        told = json.loads(self.site.within(f"web-{self.colour}", "python", "-", given=script))
        assert told["ports"] >= 3, f"only {told['ports']} ports answer: the wrong ones are asked"
        assert not told["let_in"], told["let_in"]
        return {"ports": told["ports"]}

    def request_ids(self) -> dict[str, Any]:
        """One request is found again in the proxy's log and in the service's."""
        mark = f"rehearsal-{time.time_ns()}"
        answer, _ = self._visitor().ask("/operations", headers={"X-Request-ID": mark})
        assert answer.getheader("x-request-id") == mark
        time.sleep(1)
        for service in ("proxy", f"web-{self.colour}"):
            assert mark in self.site.compose("logs", "--tail", "300", service), (
                f"{service} did not log {mark}"
            )
        return self.watching.found(mark, ("proxy", "web"))

    def refused(self) -> dict[str, Any]:
        """Its plan says why, and nothing is changed."""
        code, told = self.site.release("plan", self.ids[NEXT], "--json")
        names = {one["name"] for one in json.loads(told)["refusals"]}
        assert code == 1 and {"backup-old", "restore-unproven"} <= names, f"{code}: {names}"
        return {"refused": sorted(names)}

    def release(self) -> dict[str, Any]:
        """Another image while people work."""
        return self._released(
            lambda: self.site.release("start", self.ids[NEXT], *ACCEPTED), other(self.colour)
        )

    def rollback(self) -> dict[str, Any]:
        """What served before serves everybody again within a minute; what there is once follows."""
        found = self._released(lambda: self.site.release("rollback"), other(self.colour))
        _, told = self.site.release("history", "--json")
        steps = json.loads(told)["releases"][0]["steps"]
        names = [one["step"] for one in steps]
        seconds = round(sum(one["seconds"] for one in steps[: names.index("switch") + 1]), 1)
        assert seconds <= ROLLBACK_SECONDS, f"it took {seconds} s until the one before served"
        return {**found, "served_again_after_s": seconds}

    def killed(self) -> dict[str, Any]:
        """The command ends by SIGKILL in the middle of its steps; the next one finishes what it left."""

        def work() -> tuple[int, str]:
            self.site.killed_at("smoke", "start", self.ids[NEXT], *ACCEPTED)
            return self.site.release("resume")

        return self._released(work, other(self.colour))

    def _released(self, work: Callable[[], tuple[int, str]], colour: str) -> dict[str, Any]:
        """What a release did to those who asked for pages meanwhile."""
        with self._load() as load:
            time.sleep(CALM_SECONDS)
            began = time.monotonic()
            code, told = work()
            seconds = round(time.monotonic() - began, 1)
            time.sleep(CALM_SECONDS)
        figures = load.figures()
        assert code == 0, f"it ended with {code}: {told[-600:]}"
        assert not load.failures, f"{len(load.failures)} of {figures['requests']} failed: {load.failures[:8]}"
        self.colour = colour
        return {**figures, "release_s": seconds}

    def maintenance(self) -> dict[str, Any]:
        """Everybody is shown the page while it is there, and nobody afterwards."""
        page = self.site.folder / "state" / "maintenance.html"
        page.write_text("<h1>back soon</h1>")
        page.chmod(0o644)
        answer, text = self._visitor().ask("/")
        page.unlink()
        assert (answer.status, "back soon" in text, answer.getheader("retry-after")) == (503, True, "120")
        answer, _ = self._visitor().ask("/")
        assert answer.status == 200
        return {}

    def backup(self) -> dict[str, Any]:
        """In the container that runs the schedules; with the objects and the secrets, as every night."""
        told = json.loads(
            self.site.within("prefect-worker", "leitstand", "backup", "run", "postgres", "--json")
        )
        one = told["backups"][0]
        assert one["status"] == "complete", one
        for kind in ("objects", "secrets"):
            self.site.within("prefect-worker", "leitstand", "backup", "run", kind)
        return {"level": one["level"], "bytes": one["bytes"]}

    def restore(self) -> dict[str, Any]:
        """The newest backup into a scratch PostgreSQL, checked; the executed notebook is evidence."""
        told = json.loads(
            self.site.within("prefect-worker", "leitstand", "drill", "run", "postgres-latest", "--json")
        )
        return {key: told[key] for key in ("status", "rpo_seconds", "rto_seconds") if key in told}

    def migrations(self) -> dict[str, Any]:
        """By the image that is to be released, before it is."""
        code, told = self.site.release("rehearse", self.ids[NEXT], "--json")
        assert code == 0, told
        found = json.loads(told)
        return {"restore_s": found["restore_seconds"], "applied": len(found["applied"])}

    def kill(self, service: str) -> dict[str, Any]:
        """A crash: the engine brings it back, healthy."""
        seconds = self.site.kill(service)
        answer, _ = self._visitor().ask("/")
        assert answer.status == 200, f"afterwards home answers {answer.status}"
        return {"healthy_after_s": seconds}

    def _visitor(self) -> Visitor:
        assert self.visitor is not None
        return self.visitor

    def _load(self) -> Load:
        visitor = self._visitor()
        return Load(HOST, HTTPS_PORT, visitor.context, PAGES, visitor.cookie)

    def down(self) -> None:
        """Containers and their data go; images and the engine's folder stay for the next time."""
        self.site.compose("down", "--volumes", "--remove-orphans", "--timeout", "20")


def _not_done(why: str) -> Callable[[], None]:
    def work() -> None:
        raise NotDone(why)

    return work


def _docker_answers() -> bool:
    if shutil.which("docker") is None:
        return False
    return subprocess.run(["docker", "version"], capture_output=True, check=False, timeout=60).returncode == 0


def main() -> None:
    """Run it; ends with 1 where a step failed, and says how many were not done."""
    options = argparse.ArgumentParser(prog="./run test deploy", description=__doc__)
    options.add_argument(
        "--folder", type=Path, default=REPOSITORY / "var" / "deploy", help="for the site and the record"
    )
    options.add_argument("--keep", action="store_true", help="leave the environment running")
    chosen = options.parse_args()
    record = Record(chosen.folder / "record.json")
    rehearsal = Rehearsal(chosen.folder, record)
    rehearsal.run()
    if not chosen.keep and (rehearsal.site.folder / ".env").exists() and _docker_answers():
        rehearsal.down()
    print(f"the record: {record.path}")
    print(f"{record.count(PASSED)} passed, {record.count(FAILED)} failed, {record.count(NOT_DONE)} skipped")
    sys.exit(1 if record.count(FAILED) else 0)


if __name__ == "__main__":
    main()
