"""The state of every service, asked in parallel with a time limit each. Never raises: what fails is the answer."""

import json
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import psycopg
from sqlalchemy import Engine, make_url
from sqlalchemy.exc import SQLAlchemyError

from leitstand.db import vectors
from leitstand.db.engine import transaction
from leitstand.db.row_security import gaps
from leitstand.errors import LeitstandError
from leitstand.jobs.heartbeat import last_beat
from leitstand.services import OBJECTS, POSTGRES, SERVICES, WORKER, Service
from leitstand.settings import Settings
from leitstand.words import N_, msg

if TYPE_CHECKING:
    import httpx

    from leitstand.storage.objects import ObjectStorage

UP, DEGRADED, DOWN = "up", "degraded", "down"
LIMIT_SECONDS = 2.0
HEARTBEAT_LIMIT_SECONDS = 30.0
DETAIL_SHOWN = 200
OK, MULTIPLE_CHOICES = 200, 300


@dataclass(frozen=True)
class ServiceState:
    """One service now.

    Args:
        name, title: as in `leitstand.services`.
        address: where it listens on this machine.
        state: "up", "degraded" (it answers, and something that it needs does not) or "down".
        detail: what is wrong, or what it says of itself; never a secret.
        milliseconds: how long the answer took.
    """

    name: str
    title: str
    address: str
    state: str
    detail: str
    milliseconds: float

    def to_dict(self) -> dict[str, object]:
        """JSON values."""
        return asdict(self)


Verdict = tuple[str, str]
Probe = Callable[[], Verdict]


def overview(engine: Engine, settings: Settings) -> list[ServiceState]:
    """The state of every service of `leitstand.services`, in that order, within about two seconds."""
    _prepare(settings)
    probes = [_probe_of(service, engine, settings) for service in SERVICES]
    verdicts = _ask_all(probes, LIMIT_SECONDS)
    return [
        ServiceState(service.name, service.title, _address(service, settings), state, detail, milliseconds)
        for service, (state, detail, milliseconds) in zip(SERVICES, verdicts, strict=True)
    ]


def _prepare(settings: Settings) -> None:
    """What costs time the first time only, outside of the services' time limits."""
    _client()
    with suppress(Exception):  # the probe says what fails
        _ = _storage(settings).client


@lru_cache(maxsize=1)
def _client() -> "httpx.Client":
    """Shared by all probes: making one reads every certificate authority, which no plain address needs.

    No connection is kept, since one to a service that was restarted since would say that it is down.
    """
    import httpx

    return httpx.Client(
        timeout=LIMIT_SECONDS,
        trust_env=False,
        verify=False,  # noqa: S501 - plain HTTP on this machine
        limits=httpx.Limits(max_keepalive_connections=0),
    )


@lru_cache(maxsize=1)
def _storage(settings: Settings) -> "ObjectStorage":
    from leitstand.storage.objects import ObjectStorage

    return ObjectStorage(settings)


def _address(service: Service, settings: Settings) -> str:
    if service is POSTGRES:
        url = make_url(settings.database_url)
        return f"{url.host}:{url.port}"
    return settings.s3_url if service is OBJECTS else settings.address_of(service)


def _probe_of(service: Service, engine: Engine, settings: Settings) -> Probe:
    if service is POSTGRES:
        return lambda: _postgres(engine, settings)
    if service is OBJECTS:
        return lambda: _objects(settings)
    if service is WORKER:
        return lambda: _worker(service, engine, settings)
    return lambda: _http(service, settings)


def _ask_all(probes: list[Probe], limit: float) -> list[tuple[str, str, float]]:
    """Ask all at once; who has not answered within `limit` seconds is down.

    Daemon threads: one that hangs holds up neither the answer nor the end of the process.
    """
    began = time.perf_counter()
    answers: list[tuple[str, str, float] | None] = [None] * len(probes)

    def ask(place: int, probe: Probe) -> None:
        try:
            state, detail = probe()
        except Exception as error:  # any failure is the answer
            state, detail = DOWN, _failure(error)
        answers[place] = (
            state,
            detail if len(detail) <= DETAIL_SHOWN else detail[:DETAIL_SHOWN],
            _since(began),
        )

    threads = [
        threading.Thread(target=ask, args=(place, probe), daemon=True) for place, probe in enumerate(probes)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, limit - (time.perf_counter() - began)))
    return [
        answer or (DOWN, msg("no answer within {seconds} s", seconds=f"{limit:g}"), _since(began))
        for answer in answers
    ]


def _since(began: float) -> float:
    return round((time.perf_counter() - began) * 1000, 1)


def _failure(error: Exception) -> str:
    """The class of an error that may hold addresses or secrets; our own errors are written to be shown."""
    if isinstance(error, LeitstandError):
        return error.message
    return N_("connection refused") if type(error).__name__ == "ConnectError" else type(error).__name__


def _http(service: Service, settings: Settings) -> Verdict:
    answer = _client().get(settings.address_of(service) + service.health)
    if OK <= answer.status_code < MULTIPLE_CHOICES:
        return UP, ""
    return DEGRADED, _what_fails(answer.content) or msg("answers {status}", status=answer.status_code)


def _what_fails(body: bytes) -> str:
    """The `output` of a health+json document, empty where the body is something else."""
    try:
        document: Any = json.loads(body)
    except ValueError:
        return ""
    output = document.get("output") if isinstance(document, dict) else None
    return output if isinstance(output, str) else ""


def _worker(service: Service, engine: Engine, settings: Settings) -> Verdict:
    state, detail = _http(service, settings)
    if state != UP:
        return state, detail
    try:
        with transaction(engine) as session:
            last = last_beat(session, service.name)
    except SQLAlchemyError as error:
        return DEGRADED, msg("answers; its heartbeat can't be read ({error})", error=type(error).__name__)
    return _judge_heartbeat(last, datetime.now(UTC))


def _judge_heartbeat(last: datetime | None, now: datetime) -> Verdict:
    if last is None:
        return DEGRADED, N_("answers, and has not yet given a heartbeat")
    silent = (now - last).total_seconds()
    if silent > HEARTBEAT_LIMIT_SECONDS:
        return DEGRADED, msg("answers, and its last heartbeat is {seconds} s old", seconds=f"{silent:.0f}")
    return UP, msg("heartbeat {seconds} s ago", seconds=f"{max(silent, 0):.0f}")


def _postgres(engine: Engine, settings: Settings) -> Verdict:
    conninfo = (
        make_url(settings.database_url).set(drivername="postgresql").render_as_string(hide_password=False)
    )
    with psycopg.connect(conninfo, connect_timeout=int(LIMIT_SECONDS), autocommit=True) as connection:
        row = connection.execute("SELECT current_setting('server_version'), pg_is_in_recovery()").fetchone()
    version, recovering = row or ("", False)
    if recovering:
        return DEGRADED, msg("{version}, in recovery", version=version)
    if missing := gaps(engine):
        return DEGRADED, msg("{version}; row-level security: {gap}", version=version, gap=missing[0])
    with engine.connect() as bind:
        if not vectors.usable(bind):
            return UP, msg(
                "PostgreSQL {version}, without pgvector: documents are found by words alone", version=version
            )
    return UP, f"PostgreSQL {version}"


def _objects(settings: Settings) -> Verdict:
    try:
        _storage(settings).client.head_bucket(Bucket=settings.bucket_media)
    except Exception as error:
        # botocore's ClientError, known by what it carries: its package is imported in `storage` only.
        code = getattr(error, "response", {}).get("Error", {}).get("Code")
        if code is None:
            raise
        return DEGRADED, _refusal(code, settings.bucket_media)
    return UP, ""


def _refusal(code: str, bucket: str) -> str:
    """What the store said, by the code of its error."""
    if code == "403":
        return N_("refuses our credentials")
    if code == "404":
        return msg("the bucket {bucket} is missing", bucket=bucket)
    return msg("answers {status}", status=code)
