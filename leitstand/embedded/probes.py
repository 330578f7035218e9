"""Whether each service of an embedded environment answers: quick questions with nothing heavy imported.

`leitstand.health.overview` looks deeper (heartbeats, buckets, versions); `./run up` and `./run status` ask here, many
times and within two seconds.
"""

import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse

from leitstand.embedded.environment import Environment
from leitstand.services import OBJECTS, POSTGRES, SERVICES, Service

LIMIT_SECONDS = 1.5
DETAIL_SHOWN = 160
OK = 200
REFUSALS = {400, 401, 403}
PROTOCOL_3 = 196_608


@dataclass(frozen=True)
class Health:
    """Whether a service is ready; `detail` says why not."""

    ready: bool
    detail: str = ""


def ask_all(environment: Environment, services: Iterable[Service] = SERVICES) -> dict[str, Health]:
    """The health of services, asked at once; one that hangs is not ready and holds up nobody."""
    answers: dict[str, Health] = {}

    def ask(service: Service) -> None:
        answers[service.name] = ask_one(environment, service)

    wanted = list(services)
    threads = [threading.Thread(target=ask, args=(service,), daemon=True) for service in wanted]
    deadline = time.monotonic() + LIMIT_SECONDS
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    late = Health(False, f"no answer within {LIMIT_SECONDS:g} s")
    return {service.name: answers.get(service.name, late) for service in wanted}


def ask_one(environment: Environment, service: Service) -> Health:
    """The health of one service."""
    question = _QUESTIONS.get(service.name, _http)
    try:
        return question(environment.port_of(service), service)
    except ConnectionRefusedError:
        return Health(False, "does not listen yet")
    except (OSError, HTTPException) as error:
        return Health(False, type(error).__name__)


def _get(port: int, path: str) -> tuple[HTTPResponse, bytes]:
    connection = HTTPConnection("127.0.0.1", port, timeout=LIMIT_SECONDS)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer, answer.read()
    finally:
        connection.close()


def _http(port: int, service: Service) -> Health:
    answer, body = _get(port, service.health)
    if answer.status == OK:
        return Health(True)
    return Health(False, _output(body) or f"answers {answer.status}")


def _output(body: bytes) -> str:
    """What a health+json document says is wrong."""
    try:
        document = json.loads(body)
    except ValueError:
        return ""
    said = document.get("output", "") if isinstance(document, dict) else ""
    return str(said)[:DETAIL_SHOWN]


def _objects(port: int, _: Service) -> Health:
    answer, _body = _get(port, "/")
    return (
        Health(True) if answer.status in REFUSALS else Health(False, f"answers {answer.status} to a stranger")
    )


def _postgres(port: int, _: Service) -> Health:
    """PostgreSQL's own greeting: it asks a client that gives a name for a password once it takes connections."""
    parameters = b"user\0leitstand\0database\0leitstand\0\0"
    with socket.create_connection(("127.0.0.1", port), timeout=LIMIT_SECONDS) as connection:
        connection.sendall(struct.pack("!ii", len(parameters) + 8, PROTOCOL_3) + parameters)
        # The whole answer is read: closing on the rest of it would be an error in the server's log.
        answer = connection.recv(4096)
    return Health(True) if answer[:1] == b"R" else Health(False, "is starting or recovering")


_QUESTIONS: dict[str, Callable[[int, Service], Health]] = {POSTGRES.name: _postgres, OBJECTS.name: _objects}
