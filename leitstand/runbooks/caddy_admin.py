"""Caddy through its admin API: its configuration, loading it again, and having a certificate obtained afresh.

Caddy keeps a managed certificate in memory across reloads, and an attempt to renew that failed waits longer each time, up to
hours; a reload alone changes neither. So the name is taken out of what Caddy manages and put back: then it
reads its storage, and renews at once what is missing, expired or about to expire. The configuration may hold
credentials: it is never shown.
"""

import copy
import ipaddress
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leitstand.errors import InvalidInput, Unavailable
from leitstand.words import msg

if TYPE_CHECKING:
    import httpx

SECONDS = 15.0
ATTEMPTS, PAUSE_SECONDS = 5, 1.0
Config = dict[str, Any]


class CaddyAdmin:
    """The admin API of a Caddy on this machine.

    Args:
        address: host:port, which must be a loopback.

    Raises:
        InvalidInput: the address is none, or another machine's.
    """

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        if not port.isdigit() or not _loopback(host.strip("[]")):
            raise InvalidInput(
                msg("{address!r} is no address of a Caddy on this machine.", address=address),
                hint="As 127.0.0.1:2019.",
            )
        self.address = address

    def config(self) -> Config:
        """The configuration that Caddy runs.

        Raises:
            Unavailable: it does not answer.
        """
        found = self._ask("GET", "/config/").json()
        return found if isinstance(found, dict) else {}

    def load(self, config: Config) -> None:
        """Have Caddy run a configuration, also one that it has already; one that fails leaves the old one running.

        Raises:
            Unavailable: it refuses or does not answer.
        """
        self._ask("POST", "/load", config)

    def obtain(self, name: str) -> None:
        """Have a certificate read from storage again and, where it needs to be, renewed at once.

        For a moment Caddy has none for this name. Killed between the two loads, it is finished by doing it again.

        Raises:
            Unavailable: Caddy refuses or does not answer; then `name` may still be left out: do it again.
        """
        managed = managing(self.config(), name)
        self.load(leaving_out(managed, name))
        for attempt in range(ATTEMPTS):
            try:
                return self.load(managed)
            except Unavailable:
                if attempt + 1 == ATTEMPTS:
                    raise
                time.sleep(PAUSE_SECONDS)
        return None

    def _ask(self, method: str, path: str, body: Config | None = None) -> "httpx.Response":
        import httpx

        headers = {"Cache-Control": "must-revalidate"} if body is not None else {}
        try:
            with httpx.Client(trust_env=False, timeout=SECONDS) as client:
                answer = client.request(method, f"http://{self.address}{path}", json=body, headers=headers)
        except httpx.HTTPError as error:
            raise Unavailable(
                msg(
                    "Caddy's admin API at {address} does not answer ({name}).",
                    address=self.address,
                    name=type(error).__name__,
                ),
                hint="Look whether the proxy runs, and whether its configuration has `admin off`.",
            ) from error
        if answer.is_error:
            # The answer may quote the configuration.
            raise Unavailable(
                msg("Caddy refuses {path} with {status_code}.", path=path, status_code=answer.status_code),
                hint="Its log says why; it runs on as before.",
            )
        return answer


def _loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def servers(config: Config) -> dict[str, Config]:
    """The HTTP servers of a configuration."""
    found: dict[str, Config] = config.get("apps", {}).get("http", {}).get("servers", {})
    return found


def hosts(config: Config) -> set[str]:
    """The names that its routes answer to."""
    routes = [route for server in servers(config).values() for route in server.get("routes", [])]
    matches = [match for route in routes for match in route.get("match", [])]
    return {host for match in matches for host in match.get("host", [])}


def loaded_files(config: Config) -> list[str]:
    """Certificates that Caddy loads from files that somebody else renews."""
    given = config.get("apps", {}).get("tls", {}).get("certificates", {})
    return [str(entry.get("certificate", "")) for entry in given.get("load_files", [])]


def storage_of(config: Config, default: Path) -> Path:
    """The folder of its storage."""
    root = config.get("storage", {}).get("root", "")
    return Path(root) if root else default


def leaving_out(config: Config, name: str) -> Config:
    """The configuration with which Caddy manages no certificate for `name`."""
    changed = copy.deepcopy(config)
    for server in servers(changed).values():
        skipped = server.setdefault("automatic_https", {}).setdefault("skip_certificates", [])
        if name not in skipped:
            skipped.append(name)
    return changed


def managing(config: Config, name: str) -> Config:
    """The configuration with which Caddy manages a certificate for `name` (again, after a run that was killed)."""
    changed = copy.deepcopy(config)
    for server in servers(changed).values():
        automatic = server.get("automatic_https", {})
        left = [one for one in automatic.pop("skip_certificates", []) if one != name]
        if left:
            automatic["skip_certificates"] = left
    return changed
