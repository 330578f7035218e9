"""The product's own pages and API through a release and its rollback, on a real database, under a bounded load.

The load comes from a process of its own over connections that stay open (`benchmarks/web/load.py`); an answer other than 200
and a connection that breaks both fail it.
"""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from benchmarks.web.load import Answered, client, load
from leitstand.releases import rollout
from leitstand.releases.journal import FINISHED
from tests.local_host import NEW, OLD, LocalHost, site_of
from tests.services import free_base_port

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]
ACCEPTED = ("backup-old", "restore-unproven", "alerts-firing")
# In one go, and how many at a time.
REQUESTS, PEOPLE = 80, 4
ROLLBACK_SECONDS = 60


@pytest.fixture
def machine(tmp_path: Path, engine: Engine) -> Iterator[LocalHost]:
    """Pages and API on a database, started by hand."""
    host = LocalHost(
        tmp_path,
        free_base_port(),
        "{service}.app:create",
        {OLD: {}, NEW: {"LEITSTAND_LOG_LEVEL": "WARNING"}},
        facts=None,
        services=("web", "api"),
    )
    try:
        host.begin()
        host.start("blue", OLD)
        until = time.monotonic() + 60
        while host.not_ready("blue"):
            assert time.monotonic() < until, host.not_ready("blue")
            time.sleep(0.2)
        host.served_by()
        yield host
    finally:
        host.end()


def test_a_release_and_its_rollback_drop_no_request_of_the_product(machine: LocalHost) -> None:
    answered: list[Answered] = []
    failed: list[str] = []
    done = threading.Event()

    def ask() -> None:
        with client() as asking:
            while not done.is_set():
                try:
                    answered.append(
                        load(
                            asking,
                            port=machine.port,
                            cookie="",
                            paths=["/sign-in"],
                            requests=REQUESTS,
                            connections=PEOPLE,
                        )
                    )
                except Exception as error:
                    failed.append(repr(error))

    people = threading.Thread(target=ask)
    people.start()
    try:
        site = site_of(machine, ready_seconds=90.0, observe_seconds=3.0)
        found = rollout.start(site, machine, NEW, by="anna", tell=print, accept=ACCEPTED)
        assert found.outcome == FINISHED, found.why
        assert found.evidence("smoke")["tried"] == ["sign-in page", "API refuses a stranger"]
        assert found.evidence("check")["facts"]["revision"] and machine.served_by() == "green"
        began = time.monotonic()
        assert rollout.rollback(site, machine, by="anna", tell=print).outcome == FINISHED
        seconds = time.monotonic() - began
        assert machine.served_by() == "blue"
    finally:
        done.set()
        people.join(60)
    total = sum(len(one.times) for one in answered)
    print(f"{total} requests answered, {len(failed)} failed; rollback in {seconds:.1f} s")
    assert failed == [] and total > 200
    assert seconds < ROLLBACK_SECONDS
