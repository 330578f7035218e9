"""Starts an environment: makes what is missing, then everything in the order in which it depends on each other."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from leitstand.embedded import content, credentials, preflight, probes, programs, rotation
from leitstand.embedded.environment import REPOSITORY, Environment
from leitstand.embedded.progress import Tell
from leitstand.embedded.releases import ACCEPTED
from leitstand.embedded.stop import clear_leftovers, stop_all
from leitstand.embedded.supervisor import GONE_STATES, Supervisor
from leitstand.errors import Conflict, LeitstandError, PreconditionFailed, Unavailable
from leitstand.runbooks import reserve
from leitstand.services import OBJECTS, POSTGRES, PREFECT, PREFECT_WORKER, PROXY, SERVICES, Service
from leitstand.words import N_, msg, said

if TYPE_CHECKING:
    from leitstand.embedded.owner import Owner

READY_SECONDS = 180.0
POLL_SECONDS = 0.15
# A service that ended so many times before it was ready will not get there by waiting.
ENDS = 4
DEPLOY_ATTEMPTS, DEPLOY_PAUSE_SECONDS = 4, 3.0
LOG_SHOWN = 12
DATABASES = ("leitstand", "prefect")
FOUNDATION = (POSTGRES, OBJECTS)
LATER = (*FOUNDATION, PROXY, PREFECT, PREFECT_WORKER)


@dataclass(frozen=True)
class Started:
    """What `up` did.

    Args:
        changed: False where everything was up already.
        seconds: from the call until every service was ready.
        owner: the first owner with the password, the one time it is known.
    """

    changed: bool
    seconds: float
    owner: "Owner | None"


def is_up(environment: Environment) -> bool:
    """Whether every service is supervised and ready.

    Raises:
        Conflict: it runs, on another port.
    """
    states = Supervisor(environment).states()
    if states is None:
        return False
    remembered = environment.recall().get("port", environment.port)
    if remembered != environment.port:
        raise Conflict(
            msg(
                "The environment in {data_dir} runs on port {remembered}.",
                data_dir=environment.data_dir,
                remembered=remembered,
            ),
            hint=msg("Stop it with ./run down first to use port {port}.", port=environment.port),
        )
    if any(state.state in GONE_STATES for state in states.values()):
        return False
    return all(health.ready for health in probes.ask_all(environment).values())


def up(
    environment: Environment, *, owner_email: str, tell: Tell, on_owner: Callable[["Owner"], None]
) -> Started:
    """Bring every service up and wait until each is ready; nothing happens where they are.

    Args:
        owner_email: of the first owner, where nobody is there yet.
        on_owner: is given the first owner at once, so that the password is known whatever fails later.

    Raises:
        PreconditionFailed: the machine lacks something.
        Unavailable: a service does not get ready.
        Conflict: another ./run up is at work, or it runs on another port.
    """
    began = time.monotonic()
    if is_up(environment):
        return Started(False, time.monotonic() - began, None)
    os.umask(0o077)
    with environment.exclusive():
        return _Start(environment, tell, began).run(owner_email, on_owner)


class Beside:
    """Work done beside the caller's; when the caller fails, nobody waits for it (an executor would)."""

    def __init__(self, work: Callable[[], None]) -> None:
        self.work = work
        self.error: Exception | None = None
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        try:
            self.work()
        except Exception as error:
            self.error = error

    def raise_if_failed(self) -> None:
        """Raise what the work raised so far."""
        if self.error is not None:
            raise self.error

    def join(self) -> None:
        """Wait for the end of the work and raise what it raised."""
        self.thread.join()
        self.raise_if_failed()


class _Start:
    """One run of `up`."""

    def __init__(self, environment: Environment, tell: Tell, began: float) -> None:
        self.environment = environment
        self.tell = tell
        self.began = began
        self.supervisor = Supervisor(environment)
        self.told: set[str] = set()
        self.processes_seen: dict[str, set[int]] = {}
        self.fresh = True
        self.settled: list[str] = []
        self.cold = not (environment.postgres_dir / "PG_VERSION").exists()

    def run(self, owner_email: str, on_owner: Callable[["Owner"], None]) -> Started:
        self.fresh = not self.supervisor.running()
        if not self.fresh:
            return self._bring_up(owner_email, on_owner)
        try:
            self._prepare()
            return self._bring_up(owner_email, on_owner)
        except KeyboardInterrupt:
            self.tell.note("Interrupted: stopping what was begun.")
            stop_all(self.environment, self.tell)
            raise

    def _bring_up(self, owner_email: str, on_owner: Callable[["Owner"], None]) -> Started:
        self._foundation()
        flows = Beside(self._flows)
        self._schema_and_buckets()
        self.supervisor.launch(*(service.name for service in SERVICES if service not in LATER))
        owner = self._people_and_demo(owner_email, on_owner)
        self._wait_ready(SERVICES, flows)
        flows.join()
        return self._finish(owner)

    def _prepare(self) -> None:
        """What needs to be there before the first process: folders, secrets, free ports, a database cluster."""
        environment = self.environment
        preflight.check_python()
        preflight.check_disk(environment.data_dir)
        clear_leftovers(environment, self.tell)
        preflight.check_memory()
        preflight.check_ports(environment)
        self.settled += rotation.settle(environment, database=False)
        credentials.ensure_secrets(environment)
        environment.remember()
        cluster = programs.cluster(environment)
        if self.cold:
            with self.tell.step("Making the database cluster", "database cluster made"):
                cluster.create()
        cluster.drop_stale_lock()
        programs.store(environment).create()
        self.supervisor.start()

    def _foundation(self) -> None:
        """PostgreSQL and, at the same time, the object store and the proxy."""
        self.supervisor.launch(*(service.name for service in (*FOUNDATION, PROXY)))
        self._wait_ready([POSTGRES])
        self.settled += rotation.settle(self.environment, database=True)
        programs.cluster(self.environment).prepare(*DATABASES)
        self.supervisor.launch(PREFECT.name)

    def _schema_and_buckets(self) -> None:
        from leitstand.db import migrate, row_security
        from leitstand.db.engine import make_engine
        from leitstand.storage.objects import ObjectStorage

        settings = programs.settings_of(self.environment)
        engine = make_engine(settings)
        try:
            if self._must_migrate(migrate.current(engine)):
                with self.tell.step("Migrating the database", "database migrated"):
                    migrate.upgrade(engine)
            # Roles are the server's: what was migrated where the role was missing gets its rights here.
            with engine.begin() as connection:
                row_security.build(connection)
        finally:
            engine.dispose()
        self._wait_ready([OBJECTS])
        ObjectStorage(settings).ensure_buckets()

    def _must_migrate(self, revision: str) -> bool:
        """Whether the schema is older than this release; a newer one is only taken when somebody has accepted it."""
        from leitstand.db import migrate

        if migrate.knows(revision):
            return revision != migrate.head()
        if self.environment.recall().get(ACCEPTED) != revision:
            raise PreconditionFailed(
                msg("The database's schema ({revision}) is newer than this release.", revision=revision),
                hint="Start the newer release, or go back by the runbook: leitstand runbook run failed-release.",
            )
        self.tell.note(
            f"warning: the schema ({revision}) is newer than this release; it was accepted for it."
        )
        return False

    def _flows(self) -> None:
        """Bring the flows' schedules to Prefect as soon as it answers; its worker needs the pool made with them."""
        self._await_prefect()
        for attempt in range(DEPLOY_ATTEMPTS):
            if self._deploy():
                break
            if attempt + 1 == DEPLOY_ATTEMPTS:
                log = self.environment.log_of("deploy")
                raise Unavailable(
                    "The flows could not be brought to Prefect.",
                    hint=msg("See {log}, then try ./run up again.", log=log),
                )
            # A server that has just come up on a busy machine may be slow to answer.
            time.sleep(DEPLOY_PAUSE_SECONDS)
        self.supervisor.launch(PREFECT_WORKER.name)

    def _deploy(self) -> bool:
        """Deploy once; runs are only called crashed where no worker can be running them."""
        done = subprocess.run(
            [sys.executable, "-m", "flows.deploy", *(["--crash-unfinished"] if self.fresh else [])],
            cwd=REPOSITORY,
            env={**programs.inherited(self.environment), **programs.prefect_variables(self.environment)},
            capture_output=True,
            text=True,
            check=False,
            timeout=READY_SECONDS,
        )
        self.environment.log_of("deploy").write_text(done.stdout + done.stderr)
        return done.returncode == 0

    def _await_prefect(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while not probes.ask_one(self.environment, PREFECT).ready:
            if time.monotonic() > deadline:
                raise Unavailable(
                    "Prefect does not get ready.",
                    hint=msg("See {log_of}.", log_of=self.environment.log_of(PREFECT.name)),
                )
            time.sleep(POLL_SECONDS)

    def _people_and_demo(self, owner_email: str, on_owner: Callable[["Owner"], None]) -> "Owner | None":
        """The first owner and the demo, once; what is heavy to import is only imported then."""
        settings = programs.settings_of(self.environment)
        wanted = content.fingerprint(settings.demo_dir)
        if not self.cold and self.environment.recall().get("demo") == wanted:
            return None
        from leitstand.db.engine import make_engine
        from leitstand.embedded import demo
        from leitstand.embedded.owner import ensure_owner

        engine = make_engine(settings, statement_timeout_ms=demo.STATEMENT_TIMEOUT_MS)
        try:
            owner = ensure_owner(engine, email=owner_email)
            if owner:
                on_owner(owner)
            with self.tell.step("Filling the demo workspace", "demo workspace filled"):
                demo.fill(engine, settings, self.tell.note)
        finally:
            engine.dispose()
        self.environment.remember(demo=wanted)
        return owner

    def _wait_ready(self, services: Sequence[Service], beside: "Beside | None" = None) -> None:
        """Wait until services are ready; whichever is ready meanwhile is told.

        Raises:
            Unavailable: one keeps ending, or time is over; the end of its log is in the message.
        """
        deadline = time.monotonic() + READY_SECONDS
        while waiting := [service for service in services if service.name not in self.told]:
            health = probes.ask_all(self.environment, [s for s in SERVICES if s.name not in self.told])
            for name in [name for name, answer in health.items() if answer.ready]:
                self.told.add(name)
                self.tell.note(f"{name} ready", time.monotonic() - self.began)
            self._check_alive(waiting)
            if beside is not None:
                beside.raise_if_failed()
            if time.monotonic() > deadline:
                raise self._not_ready(waiting[0], health[waiting[0].name].detail)
            time.sleep(POLL_SECONDS)

    def _check_alive(self, waiting: list[Service]) -> None:
        states = self.supervisor.states()
        if states is None:
            raise Unavailable(
                "The supervisor ended.",
                hint=msg("See {log_of}.", log_of=self.environment.log_of("supervisor")),
            )
        for service in waiting:
            if service.name in self.told:
                continue
            seen = self.processes_seen.setdefault(service.name, set())
            seen.add(states[service.name].pid)
            if len(seen - {0}) > ENDS:
                raise self._not_ready(service, N_("it keeps ending"))

    def _not_ready(self, service: Service, why: str) -> Unavailable:
        log = self.environment.log_of(service.name)
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-LOG_SHOWN:]) if log.exists() else ""
        return Unavailable(
            msg(
                "{service} does not get ready: {why}. The end of its log:\n{tail}",
                service=service.name,
                why=said(why),
                tail=tail,
            ),
            hint=msg(
                "The whole log: ./run logs {service}. What runs goes on; ./run down stops it.",
                service=service.name,
            ),
        )

    def _finish(self, owner: "Owner | None") -> Started:
        seconds = round(time.monotonic() - self.began, 1)
        last: dict[str, Any] = {
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "seconds": seconds,
            "kind": "cold" if self.cold else "warm",
        }
        self.environment.remember(last_start=last)
        reserve.ensure(programs.settings_of(self.environment))
        self._look_after_secrets()
        return Started(True, seconds, owner)

    def _look_after_secrets(self) -> None:
        """Note what a killed rotation had begun, and back up what has changed; neither keeps anybody from working."""
        from leitstand.embedded import rotation_record
        from leitstand.telemetry.logs import configure_logging

        configure_logging("up", "WARNING")
        if self.settled:
            names = ", ".join(self.settled)
            self.tell.note(f"A rotation of secrets that was cut short is finished: {names}.")
            rotation_record.record(self.environment, self.settled, actor="leitstand up", leaked=False)
        try:
            rotation_record.back_up(self.environment)
        except LeitstandError as error:
            self.tell.note(f"warning: the secrets are not backed up: {error.message} {error.hint}")
