"""`leitstand runbook lab` as an operator uses it: behind the session and its own token, complete, asking nobody outside."""

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from leitstand.settings import REPOSITORY
from tests.stack import Stack
from tests.waiting import wait_until

pytestmark = [pytest.mark.stack, pytest.mark.long]
PATIENCE_MS = 60_000


@contextmanager
def running(stack: Stack, said: Path) -> Iterator[tuple[str, str]]:
    """The lab's address and token."""
    argv = [sys.executable, "-m", "leitstand", "runbook", "lab"]
    with said.open("w") as output:
        process = subprocess.Popen(argv, env=stack.variables(), cwd=REPOSITORY, stdout=output, stderr=output)
    try:
        wait_until(lambda: "Ctrl-C ends it" in said.read_text() or process.poll() is not None)
        assert process.poll() is None, said.read_text()
        words = said.read_text().split()
        yield words[words.index("JupyterLab:") + 1], words[words.index("token:") + 1]
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def test_an_operator_opens_the_catalogue_and_runs_it(stack_page: Page, stack: Stack, tmp_path: Path) -> None:
    folder = stack.folder / "lab"
    with running(stack, tmp_path / "said") as (address, token):
        assert address.startswith(f"{stack.base_url}/lab/")
        stack_page.goto(address)
        stack_page.locator("#password_input").fill("a guess")
        stack_page.locator("#login_submit").click()
        expect(stack_page.get_by_text("Invalid credentials")).to_be_visible(timeout=PATIENCE_MS)
        stack_page.locator("#password_input").fill(token)
        stack_page.locator("#login_submit").click()
        heading = stack_page.get_by_role("heading", name="The catalogue")
        expect(heading).to_be_visible(timeout=PATIENCE_MS)
        expect(stack_page.get_by_text("Leitstand | Idle")).to_be_visible(timeout=PATIENCE_MS)
        stack_page.get_by_role("menuitem", name="Run", exact=True).click()
        stack_page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
        cell = stack_page.get_by_role("cell", name="runbooks/rb070-disk-full.ipynb")
        expect(cell).to_be_visible(timeout=PATIENCE_MS)
        last = stack_page.locator(".jp-InputPrompt", has_text=re.compile(r"\[6\]"))
        expect(last).to_be_visible(timeout=PATIENCE_MS)
        stack_page.goto("about:blank")  # or it would miss its server
        assert token not in (folder / "lab.log").read_text() + stack.log("proxy")
    assert not (folder / "server").exists(), "what knew the token is gone"


def test_nobody_else_gets_as_far_as_the_token(page: Page, stack: Stack, tmp_path: Path) -> None:
    with running(stack, tmp_path / "said") as (address, _):
        page.goto(address)
        expect(page).to_have_url(re.compile(r"/sign-in\?next=/lab/"))
        answer = page.request.get(f"{stack.base_url}/lab/api/kernels", headers={"Accept": "application/json"})
        assert answer.status == 401
