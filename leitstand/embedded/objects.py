"""The S3 store of the embedded default: SeaweedFS (`weed mini`), hardened, on 127.0.0.1."""

import json
import os
import secrets
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from leitstand.errors import PreconditionFailed
from leitstand.services import GRPC_OFFSET, OBJECTS, OBJECTS_INTERNAL_OFFSETS

MEMORY_LIMIT = "1GiB"
SIGNING_KEYS = (
    "WEED_JWT_SIGNING_KEY",
    "WEED_JWT_SIGNING_READ_KEY",
    "WEED_JWT_FILER_SIGNING_KEY",
    "WEED_JWT_FILER_SIGNING_READ_KEY",
)


@dataclass(frozen=True)
class ObjectStore:
    """One SeaweedFS store.

    Args:
        data: folder of its volumes, its signing keys and its credentials.
        port: first port of the environment; the store uses those behind `OBJECTS`.
        access_key, secret_key: the one credential that S3 accepts.
    """

    data: Path
    port: int
    access_key: str
    secret_key: str

    def create(self) -> None:
        """Write the credential and the signing keys, without which its filer answers anybody."""
        self.data.mkdir(parents=True, exist_ok=True, mode=0o700)
        identity = {
            "name": "leitstand",
            "credentials": [{"accessKey": self.access_key, "secretKey": self.secret_key}],
            "actions": ["Admin", "Read", "List", "Tagging", "Write"],
        }
        self._write_private("s3.json", json.dumps({"identities": [identity]}))
        if not (self.data / "signing-keys.json").exists():
            self._write_private(
                "signing-keys.json", json.dumps({name: secrets.token_hex(32) for name in SIGNING_KEYS})
            )

    def _write_private(self, name: str, content: str) -> None:
        temporary = self.data / f".{name}.new"
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as stream:
            stream.write(content)
        temporary.replace(self.data / name)

    def server_command(self) -> list[str]:
        """argv that runs the store in the foreground."""
        ports = {name: self.port + offset for name, offset in OBJECTS_INTERNAL_OFFSETS.items()}
        s3 = self.port + OBJECTS.offset
        argv = [
            str(Path(sys.executable).parent / "weed"),
            "-logtostderr=true",
            "mini",
            f"-dir={self.data / 'volumes'}",
            "-ip=127.0.0.1",
            "-ip.bind=127.0.0.1",
        ]
        argv += [
            "-master.telemetry=false",
            "-webdav=false",
            "-admin.ui=false",
            # Over HTTP the master deletes a whole bucket for anyone who asks; nothing of ours needs that door.
            "-disableHttp=true",
            "-s3.autoCreateBucket=false",
            "-s3.allowDeleteBucketNotEmpty=false",
        ]
        argv += [
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
            f"-s3.config={self.data / 's3.json'}",
            f"-s3.port={s3}",
            f"-s3.port.grpc={s3 + GRPC_OFFSET}",
        ]
        for name, port in ports.items():
            argv += [f"-{name}.port={port}", f"-{name}.port.grpc={port + GRPC_OFFSET}"]
        return argv

    def environment(self) -> dict[str, str]:
        """Environment of the store: signing keys and memory limit (never in argv)."""
        keys: dict[str, str] = json.loads((self.data / "signing-keys.json").read_text())
        return {**os.environ, **keys, "GOMEMLIMIT": MEMORY_LIMIT, "HOME": str(self.data)}

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port + OBJECTS.offset}"

    def start(self, timeout: float = 60) -> "subprocess.Popen[bytes]":
        """Start it in the background (for tests; `./run up` supervises it instead) and wait until it answers."""
        self.create()
        (self.data / "volumes").mkdir(exist_ok=True)
        with (self.data / "store.log").open("ab") as log:
            process = subprocess.Popen(
                self.server_command(),
                env=self.environment(),
                stdout=log,
                stderr=log,
                cwd=self.data,
                start_new_session=True,
            )
        deadline = time.monotonic() + timeout
        while not self.ready():
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                raise PreconditionFailed(
                    "The object store did not start.", hint=f"See {self.data / 'store.log'}."
                )
            time.sleep(0.1)
        return process

    def ready(self) -> bool:
        """Whether S3 answers a signed request and refuses an unsigned one."""
        import httpx

        try:
            return httpx.get(self.endpoint, timeout=2).status_code in {400, 401, 403}
        except httpx.HTTPError:
            return False
