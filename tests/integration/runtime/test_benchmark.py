"""The benchmark of the runtime: a small run counts what visitors did, and what a lost event would look like is found."""

import os
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine, text

from api.query import create as query_service
from api.runtime import create as runtime
from benchmarks.environment import Server
from benchmarks.runtime.__main__ import ANEW, ASK, BARE, VISITS, Measuring, lost, report
from benchmarks.runtime.bare import create as bare_endpoint
from benchmarks.runtime.dataset import ANSWERS, make
from benchmarks.runtime.load import Requests, Visits, load
from leitstand.identity.sessions import COOKIE
from tests.live import served


def _server(address: str) -> Server:
    return Server(os.getpid(), int(address.rpartition(":")[2]))


def test_a_small_run_measures_visits_and_questions_beside_the_bare_endpoint(
    engine: Engine, settings: object, capsys: pytest.CaptureFixture[str]
) -> None:
    data = make(engine)
    cookie = f"{COOKIE}={data.token}"
    asked = Requests((("/query/v1/ask", b'{"question": "Which day?"}'),), cookie)
    anew = Requests(tuple(("/query/v1/ask", b'{"question": "Day %d?"}' % day) for day in range(500)), cookie)
    with (
        served(runtime()) as visited,
        served(query_service()) as query,
        served(bare_endpoint()) as bare,
        ThreadPoolExecutor(1) as pool,
    ):
        measuring = Measuring(pool, _server(bare), connections=2, seconds=0.2)
        measuring.round(VISITS, Visits(data.slug, ANSWERS), _server(visited))
        measuring.round(ASK, asked, _server(query))
        measuring.round(ANEW, anew, _server(query), warm=asked)
        # No visit is left before its end, so that each run has all of its answers.
        went = load(pool, Visits(data.slug, ANSWERS), port=_server(visited).port, connections=2, seconds=0.2).result()  # fmt: skip
    report(measuring.found, measuring.shares)
    said = capsys.readouterr().out
    for name in (BARE, VISITS, ASK, ANEW):
        [row] = [line for line in said.splitlines() if line.startswith(f"| {name} |")]
        assert row.endswith("| 0 |")
        assert ("%" in row) is (name != BARE)
    assert went.runs >= 2
    assert went.acknowledged and set(went.acknowledged.values()) == {len(ANSWERS)}
    assert lost(engine, data.workspace_id, went.acknowledged) == (0, 0)
    with engine.begin() as connection:
        connection.execute(
            text("DELETE FROM event WHERE event_id = (SELECT event_id FROM event ORDER BY event_id LIMIT 1)")
        )
    ghost = went.acknowledged | {"a run that is not there": 2}
    assert lost(engine, data.workspace_id, ghost) == (2, 1)
