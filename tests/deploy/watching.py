"""What watches the rehearsed environment: it comes up, sees every service, and tells somebody when one is away."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml

from leitstand.services import COLOURED
from tests.deploy.site import DEPLOY, HOST, HTTPS_PORT, REHEARSAL, SINGLES, Site, run
from tests.waiting import wait_until

WATCHERS = (
    "prometheus",
    "alertmanager",
    "blackbox-exporter",
    "node-exporter",
    "postgres-exporter",
    "valkey-exporter",
    "logs",
)
AWAY_SECONDS, QUIET_SECONDS, TOLD_SECONDS, EVERY_SECONDS = 420.0, 150.0, 90.0, 3.0
# Anything else at rest would be a false alarm. A machine of tests may have nobody to set its clock by, and an authority of
# one's own gives certificates of half a day.
ALWAYS = {"DeadMansSwitch", "ClockWrong", "CertificateExpires", "CertificateExpiresSoon"}
INNER = ("prefect", "prefect-worker")
EXPORTERS = (
    ("node", "node", 9100),
    ("postgres", "postgres", 9187),
    ("valkey", "valkey", 9121),
    ("blackbox", "blackbox", 9115),
)


def override(folder: Path) -> None:
    """`compose.rehearsal.yaml`: what differs from a server. A machine of tests may not share its mounts, and the probe goes
    through the proxy's inner door, for `localhost` is another in each container.

    Everything else of the probe is as in the repository: it verifies the certificate, against the proxy's own authority.
    """
    authority = "/certificates/caddy/data/caddy/pki/authorities/local/root.crt"
    probes = yaml.safe_load((DEPLOY / "blackbox" / "blackbox.yml").read_text())
    site = probes["modules"]["site"]["http"]
    site["tls_config"] = {"ca_file": authority, "server_name": HOST}
    site["headers"]["Host"] = f"{HOST}:{HTTPS_PORT}"
    (folder / "blackbox").mkdir(exist_ok=True)
    (folder / "blackbox" / "blackbox.yml").write_text(json.dumps(probes))
    services = {
        "watching": {"environment": {"LEITSTAND_PUBLIC_URL": "https://proxy"}},
        "node-exporter": {"volumes": ["/:/host:ro"]},
        "blackbox-exporter": {"user": "10001:10001", "volumes": ["certificates:/certificates:ro"]},
    }
    (folder / REHEARSAL).write_text(json.dumps({"services": services}))


class Watching:
    """Prometheus, Alertmanager, the exporters and the log store of one site."""

    def __init__(self, site: Site) -> None:
        self.site, self.told = site, list[dict[str, Any]]()

    @contextmanager
    def receiver(self) -> Iterator[None]:
        """Somebody outside who is told: keeps every alert that Alertmanager posts."""
        told = self.told

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                told.extend(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["alerts"])
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Nothing."""

        form = "{{(index .IPAM.Config 0).Gateway}}"
        gateway = run(["docker", "network", "inspect", "--format", form, "leitstand_egress"]).strip()
        server = ThreadingHTTPServer((gateway, 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://{gateway}:{server.server_port}"
        for name in ("alert_webhook_url", "dead_mans_switch_url"):
            (self.site.folder / "secrets" / f"leitstand_{name}").write_text(f"{url}/{name}")
        try:
            yield
        finally:
            server.shutdown()
            server.server_close()

    def up(self) -> dict[str, Any]:
        """The overlay's services, healthy."""
        self.site.compose("up", "--detach", "--wait", "--wait-timeout", "180", *WATCHERS)
        return {"containers": len(WATCHERS)}

    def sees(self, colour: str) -> dict[str, Any]:
        """Every target is scraped but those of the colour that does not run; the probes and the exporters reach what they ask."""
        wanted = {
            *(("leitstand", f"{one.name}-{colour}:8000") for one in COLOURED),
            ("leitstand", "worker:8000"),
            ("proxy", "proxy:2019"),
            *((job, f"{host}-exporter:{port}") for job, host, port in EXPORTERS),
            ("logs", "logs:8000"),
            ("alertmanager", "alertmanager:9093"),
        }
        probes = ("probe_success", "pg_up", "redis_up")

        def missing() -> list[str]:
            up = {(one["job"], one["instance"]) for one in self.series("up == 1")}
            down = [f"{job} {instance}" for job, instance in sorted(wanted - up)]
            for name in probes:
                found = self.series(name)
                down += [f"no {name}"] * (not found)
                down += [f"{name} {one.get('instance')}" for one in found if float(one["value"]) != 1]
            return down

        self._until(lambda: not missing(), lambda: f"not seen: {missing()}", 120)
        return {"targets": len(self.series("up == 1")), "probes": len(self.series("probe_success"))}

    def quiet(self) -> dict[str, Any]:
        """Nothing fires that should not."""
        self._until(
            lambda: not self.firing() - ALWAYS,
            lambda: f"firing at rest: {sorted(self.firing(labelled=True))}",
            QUIET_SECONDS,
        )
        # Prometheus sends again after a minute what Alertmanager was not yet there for.
        self._told("DeadMansSwitch")
        return {"signs_of_life": len(self.told)}

    def found(self, mark: str, services: tuple[str, ...]) -> dict[str, Any]:
        """The lines of one request, across services, in the log store."""
        lines: list[str] = []

        def there() -> bool:
            nonlocal lines
            lines = self.site.within("logs", "leitstand", "logs", "--request", mark).splitlines()
            return all(any(service in line for line in lines) for service in services)

        self._until(there, lambda: f"the log store has {lines}", 60)
        return {"lines": len(lines)}

    def away(self, colour: str) -> dict[str, Any]:
        """Every service is away: each has an alert that fires, somebody is told, and it is over when they are back."""
        names = [one.name for one in COLOURED]
        first = [*(f"{name}-{colour}" for name in names), "worker", *INNER, "cache"]
        expected = {
            *(f"ServiceDown {name}" for name in (*names, "worker")),
            *(f"InnerServiceDown {name}" for name in INNER),
            "CacheDown",
            "SiteDown",
        }
        began = time.monotonic()
        self.site.compose("stop", "--timeout", "5", *first)
        try:
            self._fires(expected)
            first_fired = time.monotonic() - began
            self._told("ServiceDown")
            self.site.compose("stop", "--timeout", "30", "postgres", "objects", "proxy")
            self._fires({"PostgresDown", "ProxyDown"})
            self._told("PostgresDown")
            self._told("ProxyDown")
        finally:
            self.site.compose("up", "--detach", "--wait", "--wait-timeout", "300", *SINGLES, *first)
        over = expected | {"PostgresDown", "ProxyDown"}
        self._until(
            lambda: not self.firing(labelled=True) & over,
            lambda: f"still firing: {self.firing(labelled=True)}",
            AWAY_SECONDS,
        )
        return {"alerts": len(over), "first_after_s": round(first_fired, 1)}

    def firing(self, *, labelled: bool = False) -> set[str]:
        """Names of the alerts that fire; with the service where they are asked to be labelled."""
        found = self.series('ALERTS{alertstate="firing"}')
        return {
            f"{one['alertname']} {one.get('service', '')}".strip() if labelled else one["alertname"]
            for one in found
        }

    def series(self, query: str) -> list[dict[str, str]]:
        """What Prometheus answers to a query: labels, and `value`."""
        told = self.site.within(
            "prometheus", "promtool", "query", "instant", "--format=json", "http://127.0.0.1:9090", query
        )
        return [one["metric"] | {"value": one["value"][1]} for one in json.loads(told)]

    def _fires(self, expected: set[str]) -> None:
        self._until(
            lambda: expected <= self.firing(labelled=True),
            lambda: f"do not fire: {sorted(expected - self.firing(labelled=True))}",
            AWAY_SECONDS,
        )

    def _told(self, name: str) -> None:
        self._until(
            lambda: any(
                one["labels"]["alertname"] == name and one["status"] == "firing" for one in self.told
            ),
            lambda: f"nobody was told of {name}: {sorted({one['labels']['alertname'] for one in self.told})}",
            TOLD_SECONDS,
        )

    @staticmethod
    def _until(done: Callable[[], bool], otherwise: Callable[[], str], seconds: float) -> None:
        wait_until(done, seconds, every=EVERY_SECONDS, otherwise=otherwise)
