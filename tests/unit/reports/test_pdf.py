"""Printing: the command has no network and no secret, and a Chromium that is away, hangs or fails is a reason, no error."""

import stat
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from leitstand.reports import pdf


@pytest.mark.parametrize("root", [True, False])
def test_the_command_runs_in_a_namespace_without_network_and_in_chromiums_sandbox(
    tmp_path: Path, root: bool
) -> None:
    page, target = tmp_path / "page.html", tmp_path / "page.pdf"
    argv = pdf.command("chromium", "unshare", tmp_path, page, target, root=root)
    assert argv[: argv.index("chromium")][0] == "unshare" and "--net" in argv[: argv.index("chromium")]
    assert ("--map-user=1000" in argv) is root
    assert not any("no-sandbox" in word for word in argv)
    assert f"--print-to-pdf={target}" in argv and argv[-1] == page.as_uri()


def pretend(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Programs of these names, found before any other."""
    for name, content in {
        "unshare": 'while [ "$1" != "${1#--}" ]; do shift; done; exec "$@"',
        "chromium": script,
    }.items():
        path = folder / name
        path.write_text(f"#!/bin/sh\n{content}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def test_without_chromium_or_namespaces_there_is_a_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert pdf.to_pdf("<p>x") == pdf.Printed(reason="Chromium is not installed on this machine.")
    pretend(tmp_path, monkeypatch, "true")
    (tmp_path / "unshare").unlink()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "unshare is missing" in pdf.to_pdf("<p>x").reason


def test_one_that_hangs_is_ended_with_its_children(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(tmp_path, monkeypatch, f"sh -c 'sleep 300' & echo $! > {tmp_path}/child; wait")
    assert pdf.to_pdf("<p>x", seconds=1).reason == "Chromium did not print it within 1 s."
    # The signal has been sent; a busy machine takes a moment to end a process.
    with suppress(psutil.NoSuchProcess):
        child = psutil.Process(int((tmp_path / "child").read_text()))
        until = time.monotonic() + 10
        while child.status() != psutil.STATUS_ZOMBIE:
            assert time.monotonic() < until
            time.sleep(0.05)


def test_one_that_fails_or_writes_nonsense_gives_no_pdf(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(tmp_path, monkeypatch, "exit 7")
    assert pdf.to_pdf("<p>x").reason == "Chromium could not print it (exit code 7)."
    pretend(
        tmp_path,
        monkeypatch,
        'for word; do case $word in --print-to-pdf=*) echo nonsense > "${word#*=}";; esac; done',
    )
    assert pdf.to_pdf("<p>x").reason == "Chromium wrote no PDF."


def test_it_sees_nothing_of_our_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEITSTAND_SMTP_PASSWORD", "very-secret-indeed")
    pretend(tmp_path, monkeypatch, f"env > {tmp_path}/seen")
    pdf.to_pdf("<p>x")
    assert "LEITSTAND" not in (tmp_path / "seen").read_text()
