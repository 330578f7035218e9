"""Two real Caddys: one is the certificate authority (ACME), the other serves a site with its certificates.

The authority looks at the site on port 443, as every one does: without that port there is no fixture.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from leitstand.errors import Unavailable
from leitstand.runbooks import tls
from tests.services import free_base_port

NAME, HTTPS = "localhost", 443
EXPIRED_SERIAL = 4711
WAIT_SECONDS = 60


@dataclass
class Caddy:
    """One process with its folder."""

    home: Path
    config: dict[str, Any]
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def store(self) -> Path:
        return self.home / "store"

    @property
    def log(self) -> Path:
        return self.home / "log.json"

    def start(self) -> None:
        self.home.mkdir(exist_ok=True)
        (self.home / "config.json").write_text(json.dumps(self.config))
        own = {
            "HOME": self.home,
            "XDG_DATA_HOME": self.home / "data",
            "XDG_CONFIG_HOME": self.home / "config",
        }
        environment = os.environ | {name: str(value) for name, value in own.items()}
        caddy = Path(sys.executable).parent / "caddy"
        with self.log.open("ab") as log:
            argv = [str(caddy), "run", "--config", str(self.home / "config.json")]
            self.process = subprocess.Popen(argv, env=environment, stdout=log, stderr=log)

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def ended(self) -> bool:
        """Whether it does not run."""
        return self.process is None or self.process.poll() is not None


@dataclass
class Site:
    """A site on https://localhost whose certificate comes from an authority of its own."""

    folder: Path
    port: int = field(default_factory=free_base_port)

    def __post_init__(self) -> None:
        self.authority = Caddy(self.folder / "authority", self._authority())
        self.caddy = Caddy(self.folder / "site", self._site())

    @property
    def admin(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def roots(self) -> Path:
        return self.folder / "root.crt"

    @property
    def certificate(self) -> Path:
        return next((self.caddy.store / "certificates").glob(f"*/{NAME}/{NAME}.crt"))

    def served(self) -> tls.Certificate:
        return tls.served("127.0.0.1", HTTPS, NAME)

    def parameters(self) -> dict[str, object]:
        """What the runbook is given."""
        return {
            "name": NAME,
            "port": HTTPS,
            "admin": self.admin,
            "log": str(self.caddy.log),
            "roots": str(self.roots),
        }

    def begin(self) -> None:
        """The authority issues the first certificate."""
        self.roots.write_text("")
        self.authority.start()
        root = self.authority.store / "pki/authorities/local/root.crt"
        wait_until(root.exists)
        shutil.copy(root, self.roots)
        self.caddy.start()
        wait_until(lambda: self.served() is not None)

    def expire(self) -> None:
        """The authority is away, and what the site has ended yesterday."""
        self.caddy.stop()
        self.authority.stop()
        chain = x509.load_pem_x509_certificates(self.certificate.read_bytes())
        key = (self.authority.store / "pki/authorities/local/intermediate.key").read_bytes()
        old, now = chain[0], datetime.now(UTC)
        builder = x509.CertificateBuilder(
            old.issuer, old.subject, old.public_key(), EXPIRED_SERIAL, now - timedelta(90), now - timedelta(1)
        )
        for extension in old.extensions:
            builder = builder.add_extension(extension.value, extension.critical)
        signing: Any = serialization.load_pem_private_key(key, None)
        expired = builder.sign(signing, hashes.SHA256())
        written = [one.public_bytes(serialization.Encoding.PEM) for one in (expired, *chain[1:])]
        self.certificate.write_bytes(b"".join(written))
        self.caddy.start()
        wait_until(lambda: self.served().serial == f"{EXPIRED_SERIAL:x}")
        # Its first try has failed: it waits for a minute and then ever longer.
        wait_until(lambda: "will retry" in self.caddy.log.read_text())

    def end(self) -> None:
        self.caddy.stop()
        self.authority.stop()

    def _authority(self) -> dict[str, Any]:
        issuer = {"subjects": [NAME], "issuers": [{"module": "internal"}]}
        route = {"match": [{"host": [NAME]}], "handle": [{"handler": "acme_server"}]}
        server = {"listen": [f"127.0.0.1:{self.port + 1}"], "routes": [route]}
        return {
            "admin": {"disabled": True},
            "storage": {"module": "file_system", "root": str(self.folder / "authority/store")},
            "apps": {
                "pki": {"certificate_authorities": {"local": {"install_trust": False}}},
                "tls": {"automation": {"policies": [issuer]}},
                "http": {"http_port": self.port + 2, "servers": {"acme": server}},
            },
        }

    def _site(self) -> dict[str, Any]:
        issuer = {
            "module": "acme",
            "ca": f"https://{NAME}:{self.port + 1}/acme/local/directory",
            "trusted_roots_pem_files": [str(self.roots)],
            "challenges": {"http": {"disabled": True}},
        }
        route = {
            "match": [{"host": [NAME]}],
            "handle": [{"handler": "static_response", "body": "hello"}],
        }
        server = {
            "listen": [f"127.0.0.1:{HTTPS}"],
            "automatic_https": {"disable_redirects": True},
            "routes": [route],
        }
        return {
            "admin": {"listen": self.admin},
            "storage": {"module": "file_system", "root": str(self.folder / "site/store")},
            "apps": {
                "tls": {"automation": {"policies": [{"subjects": [NAME], "issuers": [issuer]}]}},
                "http": {"http_port": self.port + 3, "servers": {"site": server}},
            },
        }


def wait_until(done: Callable[[], object]) -> None:
    """Wait for something to be so; one that does not answer yet is not so yet."""
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            if done():
                return
        except (Unavailable, OSError, StopIteration):
            pass
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.1)


def _https_free() -> bool:
    with closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", HTTPS))
        except OSError:
            return False
    return True


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site with a good certificate; skipped where port 443 can't be had."""
    if not _https_free():
        pytest.skip("port 443 of this machine can't be had: no authority would look at the site")
    site = Site(tmp_path_factory.mktemp("caddy"))
    try:
        site.begin()
        yield site
    finally:
        site.end()
