"""A machine on which releases are tried without a container engine: real processes behind a real Caddy.

An image is a set of variables here, with which the services are started; all else is as on a server: two colours as static
upstreams with active checks, files by which a colour drains, and metrics.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

from leitstand.embedded import processes
from leitstand.errors import Unavailable
from leitstand.releases import answers
from leitstand.releases.asking import ask, ask_all
from leitstand.releases.files import remove_durably, write_durably
from leitstand.releases.host import COLOURS, Checks, Sample, Tried
from leitstand.releases.site import Site
from tests import forker

REPOSITORY = Path(__file__).resolve().parent.parent
OLD, NEW, BROKEN, FAILING = (f"local/leitstand@sha256:{digit * 64}" for digit in "1234")
QUICK = {
    "settle_seconds": 15.0,
    "ready_seconds": 20.0,
    "drain_seconds": 0.2,
    "observe_seconds": 0.4,
    "poll_seconds": 0.2,
}
CHECK_EVERY = "200ms"
PATIENCE = 10.0
START_SECONDS = 30

CADDYFILE = """{{
	admin off
	auto_https off
	persist_config off
	default_bind 127.0.0.1
}}
http://:{port} {{
	@maintenance file {{
		root {state}
		try_files /maintenance.html
	}}
	handle @maintenance {{
		root * {state}
		rewrite * /maintenance.html
		header Retry-After 120
		file_server {{
			status 503
		}}
	}}
	handle /_proxy/health {{
		respond 200
	}}
{routes}
}}
"""
ROUTE = """	handle {path} {{
		reverse_proxy {blue} {green} {{
			health_uri /proxyz
			health_interval {every}
			health_timeout 2s
			fail_duration 1s
			lb_policy first
			lb_try_duration 5s
			lb_try_interval 50ms
			header_down X-Served-By {{http.reverse_proxy.upstream.hostport}}
			transport http {{
				dial_timeout 500ms
			}}
		}}
	}}
"""
PATHS = {"web": "", "api": "/api/*"}


@dataclass
class LocalHost:
    """One machine in a folder.

    Args:
        port: of the proxy; the colours have those after it.
        factory: ASGI application that a colour serves; `{service}` in it is the service's name.
        images: the image that there is -> variables of its services.
        facts: what the database is said to be like, where there is none; None: `leitstand` is really asked.
        alerts_fire: names of alerts.
        forker: socket of a process that forks the services (`tests.forker`); empty: each is started by itself.
    """

    folder: Path
    port: int
    factory: str
    images: dict[str, dict[str, str]]
    facts: dict[str, object] | None = field(
        default_factory=lambda: {"revision": "r1", "backup_hours": 1, "proof_hours": 1}
    )
    alerts_fire: list[str] = field(default_factory=list)
    services: tuple[str, ...] = ("web",)
    forker: str = ""

    # --- what a release asks of it ---

    def free_bytes(self) -> int:
        return shutil.disk_usage(self.folder).free

    def infrastructure(self, image: str) -> None:
        self._note("infrastructure", image)

    def running(self) -> dict[str, str]:
        return {colour: self._image_of(colour) for colour in sorted(self.colours())}

    def pull(self, image: str) -> None:
        if image not in self.images:
            raise Unavailable(f"{image} can't be fetched.")
        self._note("pull", image)

    def one_shot(self, image: str, arguments: list[str], *, seconds: float = 120) -> str:
        self._note("one-shot", " ".join(arguments))
        if self.facts is not None:
            return json.dumps(self.facts) if arguments[:2] == ["release", "facts"] else "{}"
        done = subprocess.run(
            [sys.executable, "-P", "-m", "leitstand", *arguments],
            env=self._variables(image),
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds,
        )
        if done.returncode:
            raise Unavailable(done.stderr.strip())
        return done.stdout

    def start(self, colour: str, image: str) -> None:
        self._note("start", colour)
        if self._image_of(colour) != image:
            self.stop(colour)
        for service in self.services:
            if not self._running(colour, service):
                self._spawn(colour, service, image)
        write_durably(self.folder / f"{colour}.image", image)

    def stop(self, colour: str) -> None:
        for service in self.services:
            for process in self._running(colour, service):
                processes.end(process, signal.SIGTERM, PATIENCE)
        self._note("stop", colour)

    def singles(self, image: str) -> None:
        write_durably(self.folder / "singles", image)

    def not_ready(self, colour: str) -> dict[str, str]:
        found = self._get(colour, "/readyz")
        return {service: why for service, one in found.items() if (why := answers.unready(one))}

    def smoke(self, colour: str) -> list[Tried]:
        return [
            answers.tried(name, path, status, word, ask(self._url(colour, service, path), PATIENCE))
            for service, name, path, status, word in answers.PAGES
            if service in self.services
        ]

    def drain(self, colour: str) -> None:
        write_durably(self.folder / "state" / f"{colour}.drain", "")

    def admit(self, colour: str) -> None:
        remove_durably(self.folder / "state" / f"{colour}.drain")

    def checks(self, colour: str) -> dict[str, Checks]:
        return {service: answers.checks(text) for service, text in self._metrics(colour).items()}

    def sample(self, colour: str) -> Sample:
        return sum((answers.sample(text) for text in self._metrics(colour).values()), Sample())

    def alerts(self) -> list[str]:
        return self.alerts_fire

    def discard(self, keep: set[str]) -> None:
        self._note("discard", " ".join(sorted(set(self.images) - keep)))

    def maintenance(self, page: str) -> None:
        path = self.folder / "state" / "maintenance.html"
        write_durably(path, page, mode=0o644) if page else remove_durably(path)

    # --- what a test does with it ---

    def begin(self) -> None:
        """The proxy runs, and nothing behind it."""
        (self.folder / "state").mkdir(parents=True, exist_ok=True)
        routes = "".join(
            ROUTE.format(
                path=PATHS[service],
                every=CHECK_EVERY,
                **{colour: self._url(colour, service, "").removeprefix("http://") for colour in COLOURS},
            )
            for service in self.services
        )
        text = CADDYFILE.format(port=self.port, state=self.folder / "state", routes=routes)
        (self.folder / "Caddyfile").write_text(text)
        (self.folder / "host.json").write_text(json.dumps({**asdict(self), "folder": str(self.folder)}))
        caddy = Path(sys.executable).parent / "caddy"
        argv = [str(caddy), "run", "--adapter", "caddyfile", "--config", str(self.folder / "Caddyfile")]
        self._popen(argv, {**os.environ, "HOME": str(self.folder)}, "proxy")
        until = time.monotonic() + START_SECONDS
        while ask(f"http://127.0.0.1:{self.port}/_proxy/health", 1).status != 200:
            assert time.monotonic() < until, "the proxy does not come up"
            time.sleep(0.05)

    def end(self) -> None:
        """Everything that it started has ended."""
        for process in processes.known(self._pids):
            process.signal(signal.SIGKILL, group=True)

    @classmethod
    def at(cls, folder: Path) -> "LocalHost":
        """The machine that another process has begun."""
        values = json.loads((folder / "host.json").read_text())
        return cls(**{**values, "folder": folder, "services": tuple(values["services"])})

    def colours(self) -> set[str]:
        """Those of which a process runs."""
        return {colour for colour in COLOURS for service in self.services if self._running(colour, service)}

    def served_by(self, path: str = "/livez") -> str:
        """The colour that answers through the proxy now."""
        import httpx

        answer = httpx.get(f"http://127.0.0.1:{self.port}{path}")
        hosts = {self._url(colour, "web", "").removeprefix("http://"): colour for colour in COLOURS}
        return hosts.get(answer.headers.get("X-Served-By", ""), f"nobody ({answer.status_code})")

    def single_image(self) -> str:
        """The image on which the worker runs."""
        path = self.folder / "singles"
        return path.read_text() if path.exists() else ""

    def variables(self) -> dict[str, str]:
        """What a process of a release gets here."""
        return {**os.environ, "PYTHONPATH": str(REPOSITORY)}

    def noted(self, what: str) -> list[str]:
        """What it was asked to do, in order."""
        path = self.folder / "asked"
        lines = path.read_text().splitlines() if path.exists() else []
        return [line.partition(" ")[2] for line in lines if line.startswith(f"{what} ")]

    def _note(self, what: str, which: str) -> None:
        with (self.folder / "asked").open("a") as stream:
            stream.write(f"{what} {which}\n")

    def _image_of(self, colour: str) -> str:
        path = self.folder / f"{colour}.image"
        return path.read_text() if path.exists() else ""

    @property
    def _pids(self) -> Path:
        return self.folder / "pids"

    def _running(self, colour: str, service: str) -> list[processes.Known]:
        found = processes.known(self._pids) if self._pids.exists() else []
        return [one for one in found if one.name == f"{colour}-{service}" and one.alive()]

    def _spawn(self, colour: str, service: str, image: str) -> None:
        name, port = f"{colour}-{service}", self._port(colour, service)
        own = {"LEITSTAND_COLOUR": colour, "LEITSTAND_STATE_DIR": str(self.folder / "state")}
        if self.forker:
            variables = {**self.images[image], **own}
            asked = {
                "folder": str(self.folder),
                "name": name,
                "factory": self.factory.format(service=service),
                "port": port,
            }
            forker.ask(self.forker, {**asked, "variables": variables})
            return
        argv = [
            sys.executable,
            "-P",
            "-m",
            "uvicorn",
            self.factory.format(service=service),
            "--factory",
            "--no-access-log",
        ]
        argv += ["--host", "127.0.0.1", "--port", str(port), "--timeout-graceful-shutdown", "5"]
        self._popen(argv, {**self._variables(image), **own}, name)

    def _popen(self, argv: list[str], variables: dict[str, str], name: str) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                argv, env=variables, cwd=REPOSITORY, stdout=log, stderr=log, start_new_session=True
            )
        processes.record(self._pids, name, process.pid)

    def _variables(self, image: str) -> dict[str, str]:
        return {**self.variables(), **self.images[image]}

    def _port(self, colour: str, service: str) -> int:
        return self.port + 1 + COLOURS.index(colour) * len(self.services) + self.services.index(service)

    def _url(self, colour: str, service: str, path: str) -> str:
        return f"http://127.0.0.1:{self._port(colour, service)}{path}"

    def _get(self, colour: str, path: str) -> dict[str, answers.Answer]:
        urls = {service: self._url(colour, service, path) for service in self.services}
        found = ask_all(list(urls.values()), PATIENCE)
        return {service: found[url] for service, url in urls.items()}

    def _metrics(self, colour: str) -> dict[str, str]:
        return {name: one.body for name, one in self._get(colour, "/metrics").items() if one.status == 200}


def site_of(host: LocalHost, environment: str = "staging", **more: object) -> Site:
    """How careful a release is there: as careful as on a server, and faster."""
    return Site(host.folder, environment, free_bytes=1, **{**QUICK, **more})  # type: ignore[arg-type]
