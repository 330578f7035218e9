"""Whether a release really serves: every service's readiness, the sign-in page, and an answer of the API."""

from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException

from leitstand.embedded import probes
from leitstand.embedded.environment import Environment
from leitstand.services import PROXY

SECONDS = 10.0
# Path, status, and a word that stands in the answer: through the proxy, as people come.
PAGES = (
    ("sign-in page", "/sign-in", 200, 'type="password"'),
    ("API refuses a stranger", "/api/v1/me", 401, "not-signed-in"),
)


@dataclass(frozen=True)
class Tried:
    """One thing that was tried; `detail` says what came instead."""

    name: str
    ok: bool
    detail: str


def smoke(environment: Environment) -> Iterator[Tried]:
    """Try everything; nothing is written."""
    for name, health in probes.ask_all(environment).items():
        yield Tried(f"{name} is ready", health.ready, health.detail or "yes")
    for name, path, status, word in PAGES:
        yield _page(environment, name, path, status, word)


def _page(environment: Environment, name: str, path: str, status: int, word: str) -> Tried:
    connection = HTTPConnection("127.0.0.1", environment.port_of(PROXY), timeout=SECONDS)
    try:
        connection.request("GET", path, headers={"Accept": "text/html, application/json"})
        answer = connection.getresponse()
        body = answer.read().decode(errors="replace")
    except (OSError, HTTPException) as error:
        return Tried(name, False, f"no answer: {type(error).__name__}")
    finally:
        connection.close()
    if answer.status != status:
        return Tried(name, False, f"{path} answers {answer.status}, expected {status}")
    return Tried(
        name, word in body, f"{path} answers {status}" + ("" if word in body else ", with another page")
    )
