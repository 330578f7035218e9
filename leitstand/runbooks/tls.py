"""What a name on the network shows: its addresses, its ports, and the certificate that is served and that lies on disk."""

import json
import socket
import ssl
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leitstand.errors import NotFound, Unavailable
from leitstand.words import msg

if TYPE_CHECKING:
    from cryptography import x509

SECONDS = 5.0
LOG_BYTES = 2_000_000
ERROR_SHOWN = 400


@dataclass(frozen=True)
class Certificate:
    """One certificate.

    Args:
        names: that it is valid for.
        serial: in hex.
        chain: how many certificates came with it, 0 where that is not known.
    """

    names: tuple[str, ...]
    issuer: str
    serial: str
    not_before: datetime
    not_after: datetime
    chain: int = 0

    def valid_at(self, now: datetime) -> bool:
        """Whether its dates cover the instant."""
        return self.not_before <= now <= self.not_after

    def covers(self, name: str) -> bool:
        """Whether it is valid for a name; a star stands for one label."""
        above = name.partition(".")[2]
        return name in self.names or (bool(above) and f"*.{above}" in self.names)

    def ends_within(self, now: datetime, part: float) -> bool:
        """Whether less than this part of its whole time is left."""
        return self.not_after - now < (self.not_after - self.not_before) * part

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "names": list(self.names),
            "issuer": self.issuer,
            "serial": self.serial,
            "not_before": self.not_before.isoformat(),
            "not_after": self.not_after.isoformat(),
        }


def addresses(name: str) -> list[str]:
    """The addresses that this machine's resolver gives for a name.

    Raises:
        NotFound: it knows no such name.
        Unavailable: it does not answer.
    """
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        if error.errno == socket.EAI_AGAIN:
            raise Unavailable("The resolver does not answer.", hint="See /etc/resolv.conf.") from error
        raise NotFound(
            msg("The resolver knows no {name}.", name=name), hint="Look at the zone at the DNS provider."
        ) from error
    return sorted({str(entry[4][0]) for entry in found})


def reached(address: str, port: int) -> str:
    """Why a TCP port can't be reached; empty when it can."""
    try:
        socket.create_connection((address, port), SECONDS).close()
    except OSError as error:
        return error.strerror or type(error).__name__
    return ""


def served(address: str, port: int, name: str) -> Certificate:
    """The certificate that is served for a name at an address, whatever is wrong with it.

    Raises:
        Unavailable: no TLS is spoken there, or none for this name.
    """
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with (
            socket.create_connection((address, port), SECONDS) as plain,
            context.wrap_socket(plain, server_hostname=name) as secured,
        ):
            encoded = secured.getpeercert(binary_form=True)
    except OSError as error:
        raise Unavailable(msg("No certificate is served: {error}.", error=_words(error))) from error
    return parsed(ssl.DER_cert_to_PEM_cert(encoded or b"").encode())


def distrusted(address: str, port: int, name: str, roots: Path | None) -> str:
    """Why a client would refuse the connection, in OpenSSL's words; empty when it would not.

    Args:
        roots: PEM file of the roots to trust; None: this machine's.
    """
    context = ssl.create_default_context(cafile=str(roots) if roots else None)
    try:
        with (
            socket.create_connection((address, port), SECONDS) as plain,
            context.wrap_socket(plain, server_hostname=name),
        ):
            return ""
    except ssl.SSLCertVerificationError as error:
        return error.verify_message
    except OSError as error:
        return _words(error)


def _words(error: OSError) -> str:
    return str(getattr(error, "reason", "") or error.strerror or type(error).__name__)


def parsed(pem: bytes) -> Certificate:
    """The first certificate of a PEM text, and how many there are.

    Raises:
        Unavailable: it holds none.
    """
    from cryptography import x509

    try:
        chain = x509.load_pem_x509_certificates(pem)
    except ValueError as error:
        raise Unavailable("This is no certificate.") from error
    leaf = chain[0]
    return Certificate(
        names=_names(leaf),
        issuer=leaf.issuer.rfc4514_string(),
        serial=f"{leaf.serial_number:x}",
        not_before=leaf.not_valid_before_utc,
        not_after=leaf.not_valid_after_utc,
        chain=len(chain),
    )


def _names(leaf: "x509.Certificate") -> tuple[str, ...]:
    from cryptography import x509

    try:
        found = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    names = [*found.get_values_for_type(x509.DNSName)]
    return (*names, *(str(address) for address in found.get_values_for_type(x509.IPAddress)))


def on_disk(storage: Path, name: str) -> Iterator[tuple[Path, Certificate | None]]:
    """The certificates for a name in Caddy's storage; None for one that can't be read."""
    above = name.partition(".")[2]
    for folder in {name, f"wildcard_.{above}"}:
        for path in sorted(storage.glob(f"certificates/*/{folder}/{folder}.crt")):
            try:
                yield path, parsed(path.read_bytes())
            except (OSError, Unavailable):
                yield path, None


def acme_errors(log: Path, *, newest: int) -> list[dict[str, str]]:
    """What Caddy last logged about certificates that it could not get, newest first."""
    found = []
    for line in _tail(log):
        try:
            entry = json.loads(line)
            logger, level = str(entry.get("logger", "")), entry.get("level")
            if level in {"error", "warn"} and (logger.startswith("tls") or "acme" in logger):
                at = datetime.fromtimestamp(float(entry["ts"]), UTC)
                said = {"at": f"{at:%Y-%m-%d %H:%M:%S} UTC", "what": str(entry.get("msg", ""))}
                found.append({**said, "error": str(entry.get("error", ""))[:ERROR_SHOWN]})
        except (ValueError, KeyError, TypeError, AttributeError):
            continue
    return found[::-1][:newest]


def _tail(log: Path) -> Iterable[str]:
    try:
        with log.open("rb") as stream:
            stream.seek(max(0, log.stat().st_size - LOG_BYTES))
            return stream.read().decode(errors="replace").splitlines()
    except OSError:
        return []


def age_words(delta: timedelta) -> str:
    """A time to or from now in words."""
    days = abs(delta).total_seconds() / 86_400
    length = f"{days:.0f} days" if days >= 2 else f"{days * 24:.1f} hours"
    return f"in {length}" if delta >= timedelta(0) else f"{length} ago"
