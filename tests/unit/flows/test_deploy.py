"""What is sent to Prefect: only what changed."""

import subprocess
import sys
from types import SimpleNamespace
from typing import Any, cast

import pytest

from flows.deploy import digest_of, outdated, wait_for_server
from flows.publish import automations
from flows.schedules import Deployment
from leitstand.errors import Unavailable
from leitstand.jobs.prefect_api import PrefectApi

ONE = Deployment(name="one", flow="backup.back_up", cron="0 1 * * *")
TWO = Deployment(name="two", flow="backup.back_up")


def server(**digests: tuple[str, str]) -> PrefectApi:
    return cast("PrefectApi", SimpleNamespace(digests=lambda: digests, healthy=lambda: False, url="http://x"))


def test_a_digest_follows_what_a_deployment_is_made_from() -> None:
    assert digest_of(ONE) == digest_of(Deployment(**ONE.model_dump()))
    assert len({digest_of(ONE), digest_of(TWO), digest_of(ONE.model_copy(update={"cron": "0 2 * * *"}))}) == 3


def test_what_is_new_changed_or_gone_is_told_apart() -> None:
    assert outdated([ONE, TWO], server()) == ([ONE, TWO], [])
    assert outdated([ONE, TWO], server(one=("id1", digest_of(ONE)), two=("id2", "older"))) == ([TWO], [])
    assert outdated([ONE], server(one=("id1", digest_of(ONE)), two=("id2", digest_of(TWO)))) == ([], ["id2"])


def test_a_server_that_stays_away_is_named() -> None:
    with pytest.raises(Unavailable, match="http://x is not healthy"):
        wait_for_server(server(), seconds=0)


def test_finding_nothing_to_do_needs_no_prefect() -> None:
    program = "import sys, flows.deploy; print('prefect' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_silent_run_is_crashed_after_three_heartbeats_and_one_that_does_not_begin_later() -> None:
    found: list[Any] = automations()
    assert [automation.trigger.within.total_seconds() for automation in found] == [90, 600]
    for automation in found:
        assert "prefect.flow-run.Completed" in automation.trigger.expect
        assert [action.state.value for action in automation.actions] == ["CRASHED"]
