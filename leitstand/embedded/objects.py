"""The S3 store of the embedded default: SeaweedFS (`weed mini`), hardened, on 127.0.0.1.

As delivered, its inner ports obey anybody on the machine (and any web page that a browser on it opens): the filer
reads and deletes, the master drops a whole bucket on a GET, the gRPC ports do everything. So every inner port speaks
TLS and asks for a client certificate that only this store has, and HTTP between its parts is signed besides.
"""

import contextlib
import json
import os
import secrets
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from leitstand.embedded.environment import write_private
from leitstand.errors import PreconditionFailed
from leitstand.services import GRPC_OFFSET, OBJECTS, OBJECTS_INTERNAL_OFFSETS
from leitstand.words import msg

MEMORY_LIMIT = "1GiB"
SIGNING_KEYS = (
    "WEED_JWT_SIGNING_KEY",
    "WEED_JWT_SIGNING_READ_KEY",
    "WEED_JWT_FILER_SIGNING_KEY",
    "WEED_JWT_FILER_SIGNING_READ_KEY",
)
GRPC_PARTS = ("MASTER", "VOLUME", "FILER", "S3", "ADMIN", "WORKER", "CLIENT")
HTTPS_PARTS = ("MASTER", "VOLUME", "FILER", "ADMIN", "CLIENT")
SOCKETS = Path("/tmp")  # noqa: S108 - SeaweedFS has it fixed
REFUSALS = {400, 401, 403}


@dataclass(frozen=True)
class ObjectStore:
    """One SeaweedFS store.

    Args:
        data: folder of its volumes, its signing keys, its certificate and its credentials.
        port: first port of the environment; the store uses those behind `OBJECTS`.
        access_key, secret_key: the one credential that S3 accepts.
        volumes: how many files of content it may have, at least one a bucket; 0: as many of 128 MB as fit on the disk.
    """

    data: Path
    port: int
    access_key: str
    secret_key: str
    volumes: int = 0

    @property
    def endpoint(self) -> str:
        """Address of S3."""
        return f"http://127.0.0.1:{self.port + OBJECTS.offset}"

    @property
    def certificate(self) -> Path:
        return self.data / "inner-certificate.pem"

    @property
    def private_key(self) -> Path:
        return self.data / "inner-key.pem"

    def create(self) -> None:
        """Write the credential, the signing keys and the certificate of the inner ports."""
        self.data.mkdir(parents=True, exist_ok=True, mode=0o700)
        (self.data / "volumes").mkdir(exist_ok=True, mode=0o700)
        self.accept((self.access_key, self.secret_key))
        if not (self.data / "signing-keys.json").exists():
            write_private(self.data / "signing-keys.json", signing_keys())
        if not (self.certificate.exists() and self.private_key.exists()):
            certificate, key = inner_certificate()
            write_private(self.private_key, key)
            write_private(self.certificate, certificate)

    def accept(self, *credentials: tuple[str, str]) -> None:
        """Write the credentials (access key, secret key) that S3 takes: its own or, while it is replaced, two.

        A running store takes them up at SIGHUP, without losing a request.
        """
        listed = [{"accessKey": access, "secretKey": secret} for access, secret in dict(credentials).items()]
        actions = ["Admin", "Read", "List", "Tagging", "Write"]
        identities = [{"name": "leitstand", "credentials": listed, "actions": actions}]
        write_private(self.data / "s3.json", json.dumps({"identities": identities}))

    def accepted(self) -> list[tuple[str, str]]:
        """The credentials (access key, secret key) that S3 takes, as its file says."""
        path = self.data / "s3.json"
        identities = json.loads(path.read_text())["identities"] if path.exists() else []
        listed = [one for identity in identities for one in identity["credentials"]]
        return [(one["accessKey"], one["secretKey"]) for one in listed]

    def server_command(self) -> list[str]:
        """argv that runs the store in the foreground."""
        s3 = self.port + OBJECTS.offset
        weed = str(Path(sys.executable).parent / "weed")
        argv = [weed, "-logtostderr=true", "mini", f"-dir={self.data / 'volumes'}"]
        argv += [f"-volume.max={self.volumes}"]
        argv += ["-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-master.telemetry=false", "-webdav=false"]
        argv += [
            "-admin.ui=false",
            "-disableHttp=true",
            "-s3.autoCreateBucket=false",
            "-s3.allowDeleteBucketNotEmpty=false",
        ]
        argv += ["-s3.port.iceberg=0", "-s3.port.lance=0", f"-s3.config={self.data / 's3.json'}"]
        argv += [f"-s3.port={s3}", f"-s3.port.grpc={s3 + GRPC_OFFSET}"]
        for name, offset in OBJECTS_INTERNAL_OFFSETS.items():
            port = self.port + offset
            argv += [f"-{name}.port={port}", f"-{name}.port.grpc={port + GRPC_OFFSET}"]
        return argv

    def own_environment(self) -> dict[str, str]:
        """Variables of the store alone: signing keys, certificates and memory limit (never in argv)."""
        keys: dict[str, str] = json.loads((self.data / "signing-keys.json").read_text())
        certificate, key = str(self.certificate), str(self.private_key)
        inner = {"WEED_GRPC_CA": certificate, "WEED_HTTPS_CLIENT_ENABLED": "true"}
        for part in GRPC_PARTS:
            inner |= {f"WEED_GRPC_{part}_CERT": certificate, f"WEED_GRPC_{part}_KEY": key}
        for part in HTTPS_PARTS:
            inner |= {
                f"WEED_HTTPS_{part}_CERT": certificate,
                f"WEED_HTTPS_{part}_KEY": key,
                f"WEED_HTTPS_{part}_CA": certificate,
            }
        return {**keys, **inner, "GOMEMLIMIT": MEMORY_LIMIT, "HOME": str(self.data)}

    def environment(self) -> dict[str, str]:
        """The whole environment of the store's process."""
        return {**os.environ, **self.own_environment()}

    def start(self, timeout: float = 60, *, marks: dict[str, str] | None = None) -> "subprocess.Popen[bytes]":
        """Start it in the background (for tests and rebuilds; `./run up` supervises it instead), wait until it answers.

        Args:
            marks: variables by which its process is found again.
        """
        self.create()
        if self.ready():
            raise PreconditionFailed(
                msg("Another store answers at {endpoint}.", endpoint=self.endpoint), hint="Use another port."
            )
        with (self.data / "store.log").open("ab") as log:
            process = subprocess.Popen(
                self.server_command(),
                env={**self.environment(), **(marks or {})},
                stdout=log,
                stderr=log,
                cwd=self.data,
                start_new_session=True,
            )
        deadline = time.monotonic() + timeout
        while process.poll() is not None or not self.ready():
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                raise PreconditionFailed(
                    "The object store did not start.", hint=msg("See {data}.", data=self.data / "store.log")
                )
            time.sleep(0.1)
        return process

    def sockets(self) -> list[Path]:
        """The sockets that a store which was killed leaves in /tmp; their place is fixed in it."""
        ports = {name: self.port + offset for name, offset in OBJECTS_INTERNAL_OFFSETS.items()}
        ports["s3"] = self.port + OBJECTS.offset
        return [
            SOCKETS / f"seaweedfs-{name}-{what}.sock"
            for name, port in ports.items()
            for what in (f"grpc-{port + GRPC_OFFSET}", str(port))
        ]

    def remove_sockets(self) -> None:
        """Remove the sockets that a store which was killed has left."""
        for socket in self.sockets():
            with contextlib.suppress(FileNotFoundError, PermissionError):
                socket.unlink()

    def ready(self) -> bool:
        """Whether S3 answers, and refuses a request without a signature."""
        from http.client import HTTPConnection, HTTPException

        connection = HTTPConnection("127.0.0.1", self.port + OBJECTS.offset, timeout=2)
        try:
            connection.request("GET", "/")
            return connection.getresponse().status in REFUSALS
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()


def signing_keys() -> str:
    """New keys with which the parts of the store sign what they ask each other, as its file holds them."""
    return json.dumps({name: secrets.token_hex(32) for name in SIGNING_KEYS})


def inner_certificate() -> tuple[str, str]:
    """A self-signed certificate, which is its own authority, and its key (PEM)."""
    from datetime import UTC, datetime, timedelta
    from ipaddress import ip_address

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "leitstand objects")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=36_500))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    encoding, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    private = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, plain)
    return certificate.public_bytes(encoding).decode(), private.decode()
