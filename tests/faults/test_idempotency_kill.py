"""The API is killed between the work and its answer: the request with its key, sent again, does the work once."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from sqlalchemy import Engine, func, select, text
from sqlalchemy.orm import Session

from leitstand.db.models import IdempotencyKey, Item, Workspace
from leitstand.identity import tokens
from tests.people import join

pytestmark = pytest.mark.slow
PATIENCE = 60
NEW = {"title": "Made once"}


@pytest.fixture
def secret(session: Session, workspace: Workspace) -> str:
    """A token that may make companions."""
    email = join(session, workspace).email
    principal = tokens.owner(session, workspace_id=workspace.id, email=email, name="test")
    made = tokens.create(session, principal=principal, name="robot", permissions=["item:read", "item:write"])
    session.commit()
    return made.secret


class Api:
    """The JSON API as a process on a port of its own."""

    def __init__(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.address = f"http://127.0.0.1:{free.getsockname()[1]}"
        argv = [
            sys.executable,
            "-m",
            "uvicorn",
            "--factory",
            "api.app:create",
            "--port",
            self.address.rpartition(":")[2],
        ]
        self.process = subprocess.Popen(argv, stderr=subprocess.DEVNULL)
        until = time.monotonic() + PATIENCE
        while not self._ready():
            assert time.monotonic() < until, "the API did not start"
            time.sleep(0.1)

    def _ready(self) -> bool:
        try:
            return httpx.get(f"{self.address}/readyz").status_code == 200
        except httpx.HTTPError:
            return False

    def make(self, secret: str) -> httpx.Response:
        """Make a companion, with a key."""
        headers = {"Authorization": f"Bearer {secret}", "Idempotency-Key": "k"}
        return httpx.post(f"{self.address}/api/v1/companions", json=NEW, headers=headers, timeout=PATIENCE)

    def kill(self) -> None:
        """End it at once."""
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()


@pytest.fixture
def apis(settings: object) -> Iterator[list[Api]]:
    """Two processes of the API."""
    running = [Api(), Api()]
    yield running
    for api in running:
        if api.process.poll() is None:
            api.kill()


def made(session: Session) -> int:
    session.rollback()
    return session.scalar(select(func.count()).select_from(Item)) or 0


def test_killed_between_work_and_answer(
    engine: Engine, session: Session, apis: list[Api], secret: str
) -> None:
    first, second = apis
    with ThreadPoolExecutor(1) as pool, engine.connect() as other:
        # The answer can't be kept, so the work is done and waits to be committed.
        other.execute(text("LOCK TABLE idempotency_key IN EXCLUSIVE MODE"))
        lost = pool.submit(first.make, secret)
        waiting = text(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'INSERT INTO idempotency_key%'"
        )
        until = time.monotonic() + PATIENCE
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as watching:
            while not watching.scalar(waiting):
                assert time.monotonic() < until
                time.sleep(0.02)
        first.kill()
        other.rollback()
        with pytest.raises(httpx.HTTPError):
            lost.result()
    again = _settled(second, secret)
    assert (again.status_code, "idempotency-replayed" in again.headers, made(session)) == (201, False, 1)
    replayed = second.make(secret)
    assert (replayed.headers["idempotency-replayed"], replayed.content) == ("true", again.content)
    assert made(session) == 1
    assert session.scalar(select(func.count()).select_from(IdempotencyKey)) == 1


def _settled(api: Api, secret: str) -> httpx.Response:
    """The answer, once the database has noticed that the killed process is gone (until then: still running)."""
    until = time.monotonic() + PATIENCE
    while (answer := api.make(secret)).status_code == 409:
        assert answer.headers["retry-after"] and time.monotonic() < until
        time.sleep(0.1)
    return answer
