"""A server on which Docker Compose runs the services: blue and green side by side, both upstreams of the proxy."""

import json
import os
import shutil
import subprocess
from pathlib import Path

from leitstand.errors import Unavailable
from leitstand.releases import answers
from leitstand.releases.asking import Answer
from leitstand.releases.files import remove_durably, write_durably
from leitstand.releases.host import COLOURS, HTTP, ONE_SHOT_SECONDS, SINGLE, Checks, Sample, Tried
from leitstand.releases.site import Site
from leitstand.words import N_, msg

PORT = 8000
ASK_SECONDS = 5.0
# Names of variables in `.env` from which Compose takes the images.
VARIABLES = {"blue": "LEITSTAND_IMAGE_BLUE", "green": "LEITSTAND_IMAGE_GREEN", "": "LEITSTAND_IMAGE"}
MIGRATE = "migrate"
UNKNOWN = "unknown"
SHORT, LONG = 60, 900
SHOWN = 600


class ComposeHost:
    """The machine on which this runs.

    Args:
        alerts_url: Alertmanager's list of alerts, as the services reach it; empty: nobody watches.
    """

    def __init__(self, site: Site, *, alerts_url: str = "") -> None:
        self.site, self.alerts_url = site, alerts_url

    def free_bytes(self) -> int:
        """Disk space where the engine keeps images."""
        root = self._docker(["info", "--format", "{{.DockerRootDir}}"]).strip()
        return shutil.disk_usage(root if Path(root).exists() else self.site.folder).free

    def infrastructure(self, image: str) -> None:
        """Start the other services of the Compose files and wait for their health; those that run stay as they are."""
        images = {COLOURS[0]: image}
        listed = self._compose(["config", "--services"], SHORT).split()
        ours = {*SINGLE, MIGRATE, *(name for colour in COLOURS for name in _services(colour))}
        argv = ["up", "--detach", "--no-recreate", "--no-build", "--wait"]
        self._compose([*argv, *sorted(set(listed) - ours)], LONG, images)

    def running(self) -> dict[str, str]:
        """As the engine says of the first service of each colour."""
        found = {}
        for colour in COLOURS:
            listed = self._compose(["ps", "--format", "json", f"{HTTP[0]}-{colour}"], SHORT)
            if running := [json.loads(line)["Image"] for line in listed.splitlines() if line.strip()]:
                found[colour] = str(running[0])
        return found

    def pull(self, image: str) -> None:
        """Fetch the image unless it is here."""
        if self._run(["docker", "image", "inspect", image], SHORT).returncode:
            self._docker(["pull", "--quiet", image], LONG)

    def one_shot(self, image: str, arguments: list[str], *, seconds: float = ONE_SHOT_SECONDS) -> str:
        """A container of its own in the services' network, gone afterwards."""
        argv = ["run", "--rm", "--no-deps", "-T", MIGRATE, "leitstand", *arguments]
        return self._compose(argv, seconds, images={"": image})

    def start(self, colour: str, image: str) -> None:
        """Write down the image, and have its containers."""
        set_variable(self.site.folder / ".env", VARIABLES[colour], image)
        self._compose(["up", "--detach", "--no-deps", "--no-build", *_services(colour)], LONG)

    def stop(self, colour: str) -> None:
        """Stop and remove its containers, each in its own grace period."""
        self._compose(["rm", "--stop", "--force", *_services(colour)], LONG)

    def singles(self, image: str) -> None:
        """Exchange the containers of which there is one."""
        set_variable(self.site.folder / ".env", VARIABLES[""], image)
        self._compose(["up", "--detach", "--no-deps", "--no-build", *SINGLE], LONG)

    def not_ready(self, colour: str) -> dict[str, str]:
        """Ask each for /readyz from within."""
        urls = {service: _url(service, colour, "/readyz") for service in HTTP}
        found = self._ask(colour, list(urls.values()))
        said = {service: answers.unready(found[url]) for service, url in urls.items()}
        return {service: why for service, why in said.items() if why}

    def smoke(self, colour: str) -> list[Tried]:
        """Ask for the pages that every release has, from within."""
        urls = [_url(service, colour, path) for service, _, path, _, _ in answers.PAGES]
        found = self._ask(colour, urls)
        return [
            answers.tried(name, path, status, word, found[_url(service, colour, path)])
            for service, name, path, status, word in answers.PAGES
        ]

    def drain(self, colour: str) -> None:
        """Its /proxyz says 503 from now on."""
        write_durably(self._drain_file(colour), "", mode=0o644)

    def admit(self, colour: str) -> None:
        """Its /proxyz says 200 from now on."""
        remove_durably(self._drain_file(colour))

    def checks(self, colour: str) -> dict[str, Checks]:
        """From the metrics of each of its services."""
        return {service: answers.checks(text) for service, text in self._metrics(colour).items()}

    def sample(self, colour: str) -> Sample:
        """From the metrics of all its services."""
        return sum((answers.sample(text) for text in self._metrics(colour).values()), Sample())

    def alerts(self) -> list[str]:
        """Those that are neither silenced nor inhibited; one that can't be asked counts as one."""
        if not self.alerts_url:
            return []
        serving = next((colour for colour in COLOURS if not self.not_ready(colour)), COLOURS[0])
        url = f"{self.alerts_url}?active=true&silenced=false&inhibited=false"
        found = self._ask(serving, [url])[url]
        if found.status != 200:
            return ["alertmanager-silent"]
        return sorted(
            {one["labels"]["alertname"] for one in json.loads(found.body)} - {"Watchdog", "DeadMansSwitch"}
        )

    def discard(self, keep: set[str]) -> None:
        """Remove images of our repository that nobody goes back to; one that is in use stays."""
        for repository in repositories(keep):
            listed = self._docker(
                ["image", "ls", "--digests", "--format", "{{.Repository}}@{{.Digest}}", repository]
            )
            for one in set(listed.split()) - keep:
                self._run(["docker", "image", "rm", one], SHORT)

    def maintenance(self, page: str) -> None:
        """The proxy shows this file instead of anything else, while it is there."""
        path = self.site.state / "maintenance.html"
        write_durably(path, page, mode=0o644) if page else remove_durably(path)

    def _drain_file(self, colour: str) -> Path:
        return self.site.state / f"{colour}.drain"

    def _metrics(self, colour: str) -> dict[str, str]:
        """The metrics of its services that answer."""
        urls = {service: _url(service, colour, "/metrics") for service in HTTP}
        found = self._ask(colour, list(urls.values()))
        return {service: found[url].body for service, url in urls.items() if found[url].status == 200}

    def _ask(self, colour: str, urls: list[str]) -> dict[str, Answer]:
        """Ask from within the network, in a container of that colour; none runs: nothing is answered."""
        argv = ["python", "-m", "leitstand.releases.asking", str(ASK_SECONDS), *urls]
        for service in _services(colour):
            done = self._run([*self._compose_argv(), "exec", "-T", service, *argv], SHORT)
            if done.returncode == 0:
                return {url: Answer(**one) for url, one in json.loads(done.stdout).items()}
        return {url: Answer(0, "no container of this colour answers") for url in urls}

    def _compose(self, argv: list[str], seconds: float, images: dict[str, str] | None = None) -> str:
        more = {VARIABLES[colour]: image for colour, image in (images or {}).items()}
        if VARIABLES[COLOURS[0]] not in self._written():
            # The Compose file demands it, also where nothing was released yet and whatever is asked.
            more = {VARIABLES[COLOURS[0]]: UNKNOWN, **more}
        return self._out([*self._compose_argv(), *argv], seconds, more)

    def _written(self) -> str:
        path = self.site.folder / ".env"
        return path.read_text() if path.exists() else ""

    def _compose_argv(self) -> list[str]:
        return ["docker", "compose", "--project-directory", str(self.site.folder)]

    def _docker(self, argv: list[str], seconds: float = SHORT) -> str:
        return self._out(["docker", *argv], seconds, {})

    def _out(self, argv: list[str], seconds: float, more: dict[str, str]) -> str:
        done = self._run(argv, seconds, more)
        if done.returncode:
            raise Unavailable(
                msg(
                    "`{command}` failed: {said}",
                    command=" ".join(argv[:8]),
                    said=done.stderr[-SHOWN:].strip(),
                ),
                hint=N_("See whether the engine runs, and its log."),
            )
        return done.stdout

    def _run(
        self, argv: list[str], seconds: float, more: dict[str, str] | None = None
    ) -> "subprocess.CompletedProcess[str]":
        try:
            return subprocess.run(
                argv,
                cwd=self.site.folder,
                env={**_others(), **(more or {})},
                capture_output=True,
                text=True,
                timeout=seconds,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise Unavailable(
                msg("`{command}` takes longer than {seconds} s.", command=" ".join(argv[:8]), seconds=seconds)
            ) from error


def _others() -> dict[str, str]:
    """The environment without our own variables: Compose would take them before those that a release writes into `.env`."""
    return {name: value for name, value in os.environ.items() if not name.startswith("LEITSTAND_")}


def repositories(images: set[str]) -> set[str]:
    """Those of images that are named by their digests; what was started by hand may be named otherwise, and is left alone."""
    return {one.partition("@")[0] for one in images if "@" in one}


def set_variable(path: Path, name: str, value: str) -> None:
    """Give a variable of an env file its value; the others, and remarks, stay as they are."""
    lines = path.read_text().splitlines() if path.exists() else []
    kept = [line for line in lines if line.partition("=")[0].strip() != name]
    write_durably(path, "\n".join([*kept, f"{name}={value}"]) + "\n")


def _services(colour: str) -> list[str]:
    return [f"{service}-{colour}" for service in HTTP]


def _url(service: str, colour: str, path: str) -> str:
    return f"http://{service}-{colour}:{PORT}{path}"
