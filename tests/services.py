"""Fixtures: PostgreSQL, object storage, settings, a database, a session, a workspace and a principal."""

import fcntl
import json
import os
import shutil
import signal
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from leitstand.db import engine as engine_module
from leitstand.db import migrate
from leitstand.db.engine import make_engine
from leitstand.db.models import Item, Person, Workspace
from leitstand.embedded.objects import ObjectStore
from leitstand.embedded.postgres import Cluster
from leitstand.identity.access import ROLES, Principal
from leitstand.knowledge.spaces import create_space
from leitstand.services import GRPC_OFFSET, OBJECTS, PORT_SPAN, POSTGRES
from leitstand.settings import Settings, get_settings, load_settings
from leitstand.storage.objects import ObjectStorage

PASSWORD = "test-password"
TEMPLATE = "leitstand_template"
FIRST_PORT = 20_000
LAST_PORT = 44_000
# Locks on the spans of this process: two that look at once would else both find the same one free.
CLAIMS: list[IO[str]] = []
VOLUMES = 5_000
# Where a file is memory, a clone of the template takes a sixth of the time: that is 700 small files for each test.
MEMORY, ROOM = Path("/dev/shm"), 4_000_000_000


def free_base_port() -> int:
    """A first port whose whole span (and the store's gRPC ports behind it) is free, and this process's until it ends.

    From the lowest on: those above 32,768 are taken by any outgoing connection.
    """
    folder = Path(tempfile.gettempdir()) / f"leitstand-test-ports-{os.getuid()}"
    folder.mkdir(exist_ok=True)
    for base in range(FIRST_PORT, LAST_PORT, PORT_SPAN):
        claim = (folder / str(base)).open("a")
        if _claimed(claim) and all(_free(port) for port in _ports(base)):
            CLAIMS.append(claim)
            return base
        claim.close()
    raise RuntimeError("no free span of ports")


def _claimed(claim: IO[str]) -> bool:
    try:
        fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _ports(base: int) -> list[int]:
    return [*range(base, base + PORT_SPAN), *range(base + GRPC_OFFSET + 10, base + GRPC_OFFSET + PORT_SPAN)]


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _shared_root(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    base = tmp_path_factory.getbasetemp()
    return base if worker_id == "master" else base.parent


@contextmanager
def _shared(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, object]]:
    """Start the services if this is the first worker, stop them if it is the last one to leave."""
    state_file, lock_file = root / "services.json", root / "services.lock"
    with lock_file.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        state = json.loads(state_file.read_text()) if state_file.exists() else _start()
        state["users"] += 1
        state_file.write_text(json.dumps(state))
    try:
        yield state
    finally:
        with lock_file.open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            state = json.loads(state_file.read_text())
            state["users"] -= 1
            state_file.write_text(json.dumps(state))
            if state["users"] == 0:
                _stop(state)
                state_file.unlink()


def _start() -> dict[str, object]:
    data = Path(tempfile.mkdtemp(prefix="leitstand-test-"))
    place = Path(tempfile.mkdtemp(prefix="leitstand-test-", dir=_place_of_databases()))
    port = free_base_port()
    cluster = Cluster(place / "postgres", port + POSTGRES.offset, PASSWORD)
    cluster.create()
    with (cluster.data / "postgresql.conf").open("a") as configuration:
        configuration.write(
            "fsync = off\nsynchronous_commit = off\nfull_page_writes = off\narchive_mode = off\nmax_connections = 200\n"
        )
    cluster.start()
    cluster.prepare(TEMPLATE)
    # Many tests have buckets of their own, and each has a volume, however little is in it.
    store = ObjectStore(data / "objects", port, "test-access", "test-secret", volumes=VOLUMES)
    process = store.start()
    engine = make_engine(settings_for(data, port, TEMPLATE))
    migrate.upgrade(engine)
    engine.dispose()
    return {"data": str(data), "place": str(place), "port": port, "store_pid": process.pid, "users": 0}


def _place_of_databases() -> Path | None:
    """A folder in memory with room for them; None: the usual one."""
    there = MEMORY.is_dir() and os.access(MEMORY, os.W_OK)
    return MEMORY if there and shutil.disk_usage(MEMORY).free > ROOM else None


def _stop(state: dict[str, object]) -> None:
    _cluster_of(state).stop("immediate")
    os.kill(int(str(state["store_pid"])), signal.SIGKILL)
    for folder in ("data", "place"):
        shutil.rmtree(str(state[folder]), ignore_errors=True)


def _cluster_of(state: dict[str, object]) -> Cluster:
    port = int(str(state["port"]))
    return Cluster(Path(str(state["place"])) / "postgres", port + POSTGRES.offset, PASSWORD)


def settings_for(data: Path, port: int, database: str) -> Settings:
    """Settings of a test environment on the shared services with a database of its own."""
    os.environ.update(
        LEITSTAND_DATA_DIR=str(data),
        LEITSTAND_PORT=str(port),
        LEITSTAND_DATABASE_PASSWORD=PASSWORD,
        LEITSTAND_DATABASE_URL=f"postgresql+psycopg://leitstand:{PASSWORD}@127.0.0.1:{port + POSTGRES.offset}/{database}",
        LEITSTAND_S3_ENDPOINT=f"http://127.0.0.1:{port + OBJECTS.offset}",
        LEITSTAND_S3_ACCESS_KEY="test-access",
        LEITSTAND_S3_SECRET_KEY="test-secret",
        LEITSTAND_SESSION_SECRET="test-session-secret",
        LEITSTAND_SECRETS_KEY="test-secrets-key",
    )
    get_settings.cache_clear()
    engine_module.get_engine.cache_clear()
    return load_settings()


@pytest.fixture(scope="session")
def services(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[dict[str, object]]:
    """The shared PostgreSQL and object store: `data`, `port`."""
    with _shared(_shared_root(tmp_path_factory, worker_id), tmp_path_factory) as state:
        yield state


@pytest.fixture(scope="session")
def cluster(services: dict[str, object]) -> Cluster:
    """The shared PostgreSQL cluster."""
    return _cluster_of(services)


@contextmanager
def cloned_database(
    cluster: Cluster, services: dict[str, object], *, template: str = TEMPLATE
) -> Iterator[Settings]:
    """A database cloned from the migrated template, or another one, dropped afterwards; settings and caches point at it."""
    name = f"test_{uuid4().hex[:12]}"
    clone_database(cluster, name, template)
    try:
        yield settings_for(Path(str(services["data"])), int(str(services["port"])), name)
    finally:
        leave_database()
        with psycopg.connect(cluster.conninfo("postgres"), autocommit=True) as admin:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def clone_database(cluster: Cluster, name: str, template: str = TEMPLATE) -> None:
    """Make a database like `template`, to which nobody may be connected."""
    with psycopg.connect(cluster.conninfo("postgres"), autocommit=True) as admin:
        admin.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER leitstand STRATEGY file_copy").format(
                sql.Identifier(name), sql.Identifier(template)
            )
        )


def leave_database() -> None:
    """Close what this process has open of the database that settings and caches point at, and forget them."""
    if engine_module.get_engine.cache_info().currsize:
        engine_module.get_engine().dispose()
    engine_module.get_engine.cache_clear()
    get_settings.cache_clear()


@pytest.fixture
def settings(cluster: Cluster, services: dict[str, object]) -> Iterator[Settings]:
    """Settings of an environment whose database is this test's own."""
    with cloned_database(cluster, services) as settings:
        yield settings


@pytest.fixture
def engine(settings: Settings) -> Iterator[Engine]:
    """The engine of this test's own database (also what `get_engine()` gives)."""
    yield engine_module.get_engine()


@pytest.fixture
def session(engine: Engine) -> Iterator[Session]:
    """A session on this test's own database; commit as you like."""
    with Session(engine, expire_on_commit=False) as session:
        yield session


@pytest.fixture
def workspace(session: Session) -> Workspace:
    """A workspace with the slug `demo` and the zone UTC."""
    workspace = Workspace(slug="demo", name="Demo")
    session.add(workspace)
    session.commit()
    return workspace


@pytest.fixture
def owner(session: Session, workspace: Workspace) -> Principal:
    """The owner of `workspace`."""
    return new_owner(session, workspace)


def new_owner(session: Session, workspace: Workspace) -> Principal:
    """Somebody who may do everything in a workspace."""
    person = Person(email="owner@example.test", name="Olga Owner", password_hash=None)
    session.add(person)
    session.commit()
    return Principal(person.id, workspace.id, person.name, person.email, "owner", ROLES["owner"])


@pytest.fixture
def storage(settings: Settings) -> ObjectStorage:
    """The real object store, with its buckets."""
    storage = ObjectStorage(settings)
    storage.ensure_buckets()
    return storage


@pytest.fixture
def space(session: Session, owner: Principal) -> Item:
    """An empty space of `workspace`."""
    space = create_space(session, principal=owner, title="Manuals")
    session.commit()
    return space
