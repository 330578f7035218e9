"""Faults 26 to 29: a killed kernel, a notebook that leaves early, an unknown parameter, a secret that is printed.

Each is made for real, in a run of a runbook: it must fail, say why, and leave its evidence without the secret.
"""

import base64
import re

import psutil
import pytest

from leitstand.backups.catalogue import list_drills
from leitstand.db.engine import transaction
from leitstand.errors import InvalidInput
from leitstand.runbooks.audit import audit
from leitstand.runbooks.results import DrillResult
from tests.runbooks import Bench, bench

__all__ = ["bench"]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
FORMS = """
import base64, html, sys
from IPython.display import HTML, display
value = work.settings.session_secret.get_secret_value()
sys.stdout.write(value[:8]); sys.stdout.flush()
print(value[8:], file=sys.stdout)
display(HTML(f'<b>{html.escape(value)}</b>'), metadata={'note': value})
print(base64.b64encode(f'x{value} and more'.encode()).decode())
"""


def status_of(bench: Bench) -> tuple[str, str]:
    with transaction(bench.engine) as session:
        row = list_drills(session)[0]
        assert audit(session, bench.settings).problems == []
        return row.status, row.error


def assert_failed(bench: Bench, result: DrillResult, says: str) -> None:
    """It is a failure in the result, the catalogue and the evidence, and nothing of it is left at work."""
    assert not result.ok and re.search(says, result.error), result.error
    assert status_of(bench) == ("failed", result.error)
    assert b"the end" not in bench.stored(result.notebook).replace(b"print('the end')", b"")
    scratch = bench.settings.data_dir / "scratch"
    assert list(scratch.iterdir()) == []
    assert not [
        one.info["cmdline"]
        for one in psutil.process_iter(["cmdline"])
        if any(str(scratch) in word for word in one.info["cmdline"] or [])
    ]


def test_26_a_killed_kernel_is_a_failure(bench: Bench) -> None:
    bench.write("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", "print('the end')")
    assert_failed(bench, bench.run(), "Dead|died")


IGNORING = """
import signal, time
signal.signal(signal.SIGINT, signal.SIG_IGN)
while True:
    time.sleep(0.05)
"""


@pytest.mark.long
def test_26_a_kernel_that_ignores_interrupts_is_ended_at_the_limit_of_a_cell(bench: Bench) -> None:
    limited = Bench(bench.settings.model_copy(update={"notebook_cell_seconds": 3}), bench.engine)
    limited.write(IGNORING, "print('the end')")
    assert_failed(limited, limited.run(), "[Tt]imeout|timed out|longer than")


@pytest.mark.long
def test_26_a_stopped_kernel_is_ended_at_the_limit_of_the_run(bench: Bench) -> None:
    """Nothing in it can answer any more, and it does not notice that its parent is gone."""
    limited = Bench(bench.settings.model_copy(update={"notebook_run_seconds": 20}), bench.engine)
    limited.write("import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)", "print('the end')")
    assert_failed(limited, limited.run(), "longer than 20 s")


@pytest.mark.parametrize(
    "leaving", ["import sys\nsys.exit(0)", pytest.param("import os\nos._exit(0)", marks=pytest.mark.long)]
)
def test_27_leaving_early_is_no_success(bench: Bench, leaving: str) -> None:
    bench.write(leaving, "print('the end')")
    assert_failed(bench, bench.run(), "did not run|Dead|died|SystemExit|ended")


def test_28_an_unknown_parameter_runs_nothing(bench: Bench) -> None:
    bench.write()
    with pytest.raises(InvalidInput, match="'greting'") as refused:
        bench.run({"greting": "hello"})
    assert "greeting" in refused.value.hint
    with pytest.raises(InvalidInput, match="type"):
        bench.run({"dry_run": "maybe"})
    with transaction(bench.engine) as session:
        assert list_drills(session) == []
    assert not (bench.settings.data_dir / "scratch").exists()


def test_29_a_printed_secret_fails_the_run_and_is_nowhere(bench: Bench) -> None:
    bench.write(FORMS, "raise ValueError('refused: ' + value)")
    told: list[str] = []
    result = bench.run(progress=told.append)
    secret = bench.settings.session_secret.get_secret_value()
    assert not result.ok and "a secret was printed: the value of session_secret" in result.error
    assert status_of(bench)[0] == "failed"
    kept = [
        bench.stored(f"s3://{bench.settings.bucket_evidence}/{info.key}")
        for info in bench.storage.list(bench.settings.bucket_evidence)
    ]
    assert len(kept) == 4, "notebook, page, record and link"
    forms = (secret, secret[8:], base64.b64encode(f"x{secret} and more".encode()).decode())
    assert not [form for form in forms for body in kept if form.encode() in body]
    assert secret not in result.error + "".join(told) + str(result.to_dict())
    assert b"[redacted]" in kept[0] + kept[1]
