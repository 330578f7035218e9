"""A run that was cut short is told, goes on from its journal, and is signed by somebody else."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from sqlalchemy import text

from leitstand.db.engine import transaction
from leitstand.errors import Conflict, IntegrityFailed, InvalidInput, NotFound
from leitstand.runbooks.audit import audit
from leitstand.runbooks.journal import journal_in, journal_of
from leitstand.runbooks.kernels import setting_variables
from leitstand.runbooks.resuming import resume_runbook
from leitstand.runbooks.runs import RunView, list_runs, view
from leitstand.runbooks.signing import sign
from leitstand.settings import REPOSITORY
from tests.runbooks import NAME, Bench, bench

__all__ = ["bench"]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
# The first step leaves a fact; the second waits until it is killed, unless the first was done before.
STEPS = (
    "with evidence.once('make it') as once:\n"
    "    print('done before:', once.done, once.earlier)\n"
    "    once.facts['number'] = (once.earlier or {}).get('number', 0) + 1",
    "import time\nwhile once.earlier is None:\n    time.sleep(0.2)",
)


def seen(bench: Bench, run_id: object) -> RunView:
    with transaction(bench.engine) as session:
        return view(session, str(run_id))


def start(bench: Bench) -> "subprocess.Popen[bytes]":
    """`leitstand runbook run` in a session of its own, killed by nothing but its group."""
    variables = {
        name: value for name, value in os.environ.items() if not name.startswith(("LEITSTAND_", "PYTEST_"))
    }
    argv = [sys.executable, "-m", "leitstand", "runbook", "run", NAME, "-p", "greeting=again"]
    environment = {**variables, **setting_variables(bench.settings), "PYTHONPATH": str(REPOSITORY)}
    return subprocess.Popen(
        argv, env=environment, cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def kill_in_the_second_step(bench: Bench) -> None:
    process = start(bench)
    journals = bench.settings.data_dir / "evidence" / "journals"
    deadline = time.monotonic() + 120
    while not list(journals.glob("*.jsonl")):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.2)
    for one in [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]:
        one.kill()
    assert process.wait(30) == -signal.SIGKILL


def test_a_killed_run_is_interrupted_and_goes_on_from_its_journal(bench: Bench) -> None:
    bench.storage.ensure_buckets()
    bench.write(*STEPS)
    kill_in_the_second_step(bench)
    with transaction(bench.engine) as session:
        (killed,) = list_runs(session)
    assert (killed.status, killed.resumable, killed.row.status) == ("interrupted", True, "running")
    with pytest.raises(InvalidInput), transaction(bench.engine) as session:
        sign(session, bench.settings, killed.row.id, signer="berta", note="")
    with pytest.raises(Conflict, match="no archived evidence"), transaction(bench.engine) as session:
        sign(session, bench.settings, killed.row.id, signer="berta", note="looked at it")
    again = resume_runbook(bench.engine, bench.settings, str(killed.row.id)[:18], requested_by="anna")
    assert again.ok, again.error
    assert b"done before: True {'number': 1}" in bench.stored(again.notebook).replace(b"\\n", b"")
    after = seen(bench, again.drill_id)
    assert (after.row.resumed_from, after.row.lineage) == (killed.row.id, killed.row.id)
    assert after.row.parameters == {"greeting": "again"}, "the same parameters"
    assert [entry["facts"]["number"] for entry in after.row.figures["journal"]] == [1, 2]
    assert not journal_of(bench.settings, killed.row.id, again.drill_id).path.exists(), "the record has it"
    first = seen(bench, killed.row.id)
    assert (first.row.status, first.resumable, first.resumed_by) == ("interrupted", False, again.drill_id)
    for run_id, says in ((killed.row.id, "goes on with"), (again.drill_id, "came to its end")):
        with pytest.raises(Conflict, match=says):
            resume_runbook(bench.engine, bench.settings, run_id)
    with transaction(bench.engine) as session:
        assert audit(session, bench.settings).problems == []


@pytest.mark.long
def test_a_run_of_a_day_without_a_database_goes_on_as_well(bench: Bench) -> None:
    """The first try fails at a step; the journal and the parameters are on this machine alone."""
    bench.storage.ensure_buckets()
    bench.write(STEPS[0], "assert once.done, 'the first try stops here'")
    dark = bench.without_database()
    first = dark.run({"greeting": "dark"})
    assert not first.ok and "stops here" in first.error
    again = resume_runbook(dark.engine, dark.settings, first.drill_id, requested_by="anna")
    assert again.ok, again.error
    with pytest.raises(NotFound, match="waits on this machine"):
        resume_runbook(dark.engine, dark.settings, "00000000")
    light = bench.run()
    assert not light.ok, "a run of its own has a journal of its own"
    assert seen(bench, again.drill_id).row.resumed_from == first.drill_id
    assert [seen(bench, one.drill_id).status for one in (first, again)] == ["failed", "passed"]


def test_a_journal_that_this_machine_lost_comes_back_from_the_catalogue(bench: Bench) -> None:
    bench.write(STEPS[0], "assert once.done, 'stops here'")
    first = bench.run()
    assert not first.ok
    journal_of(bench.settings, first.drill_id, first.drill_id).remove()
    assert resume_runbook(bench.engine, bench.settings, first.drill_id).ok


def test_somebody_else_signs_and_the_chain_keeps_it(bench: Bench) -> None:
    bench.write()
    run = bench.run()

    def signed(signer: str, note: str = "read it, all is well", **more: bool) -> None:
        with transaction(bench.engine) as session:
            sign(session, bench.settings, run.drill_id, signer=signer, note=note, **more)

    with pytest.raises(Conflict, match="somebody else"):
        signed("anna")
    secret = bench.settings.session_secret.get_secret_value()
    signed("berta", f"read it; {secret} was in the mail")
    with pytest.raises(Conflict, match="already"):
        signed("berta")
    signed("anna", alone=True)
    after = seen(bench, run.drill_id)
    assert [(link.content["signer"], link.content["four_eyes"]) for link in after.signatures] == [
        ("berta", True), ("anna", False),
    ]  # fmt: skip
    assert secret not in after.signatures[0].content["note"]
    beside = [
        info.key for info in bench.storage.list(bench.settings.bucket_evidence) if "/signature-" in info.key
    ]
    assert len(beside) == 2 and all(str(run.drill_id) in key for key in beside)
    assert after.signatures[0].previous == run.chain_sha256, "it follows the run that it signs"
    with transaction(bench.engine) as session:
        assert audit(session, bench.settings).problems == []


def test_a_line_that_a_kill_cut_off_was_not_done(tmp_path: Path) -> None:
    journal = journal_in(tmp_path)
    journal.add("one", number=1)
    with journal.path.open("a") as stream:
        stream.write('{"step": "two", "facts": {')
    assert journal.earlier("one") == {"number": 1} and journal.earlier("two") is None
    journal.add("three")
    assert [entry["step"] for entry in journal.entries()] == ["one", "three"]


@pytest.mark.long
def test_what_was_emptied_behind_our_back_is_told_and_nothing_breaks(bench: Bench) -> None:
    bench.write()
    run = bench.run()
    with transaction(bench.engine) as session:
        sign(session, bench.settings, run.drill_id, signer="berta", note="read it")
        session.execute(text("UPDATE evidence_link SET content = '{}' WHERE kind = 'signature'"))
    with transaction(bench.engine) as session:
        sign(session, bench.settings, run.drill_id, signer="carla", note="read it too")
        assert not audit(session, bench.settings).ok
        session.execute(text("UPDATE evidence_link SET content = '{}' WHERE kind = 'run'"))
    with transaction(bench.engine) as session, pytest.raises(IntegrityFailed, match="was changed"):
        sign(session, bench.settings, run.drill_id, signer="doris", note="and I")
