"""The benchmark of the pages: a small run of it says of every page what it is made to say."""

import os
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine

from benchmarks.environment import Server
from benchmarks.web.__main__ import BARE, Measuring, pages, report
from benchmarks.web.bare import create as bare_endpoint
from benchmarks.web.dataset import make
from tests.live import served
from web.app import create


def test_a_small_run_measures_every_page_beside_the_bare_endpoint(
    engine: Engine, settings: object, capsys: pytest.CaptureFixture[str]
) -> None:
    data = make(engine, items=70, workspaces=1, members=3)
    with served(create()) as web, served(bare_endpoint()) as bare, ThreadPoolExecutor(1) as pool:
        web_server, bare_server = (Server(os.getpid(), int(one.rpartition(":")[2])) for one in (web, bare))
        measuring = Measuring(pool, web_server, bare_server, data, seconds=0, fewest=2)
        asked = pages(data)
        for name, paths in asked.items():
            measuring.round(name, paths[:2], connections=2)
    missed = report(measuring.found, data)
    said = capsys.readouterr().out
    for name in (BARE, *asked):
        [row] = [line for line in said.splitlines() if line.startswith(f"| {name} |")]
        assert ("%" in row) is (name != BARE)
    assert all(len(measuring.found[name].share) == 1 for name in asked)
    assert said.count("MISSED") == len(missed)
    assert said.count("; target ") == 4
