"""A page as PDF, printed by Chromium where it is present: in its own sandbox, without any network, in limited time.

The page is printed in a namespace that has no network at all, and its own policy permits no script, so that whatever
it held could load nothing and tell nobody. A machine that forbids namespaces gets no PDF; the HTML says the same.
"""

import os
import shutil
import signal
import subprocess
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from leitstand.telemetry.logs import get_logger
from leitstand.words import N_

PROGRAMS = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
SECONDS = 60
# Root is called by another name inside, because Chromium refuses to sandbox for root.
AS_SOMEBODY = ("--map-user=1000", "--map-group=1000")
log = get_logger("reports")


@dataclass(frozen=True)
class Printed:
    """A PDF, or why there is none (one of them is empty)."""

    data: bytes = b""
    reason: str = ""


def command(chromium: str, unshare: str, folder: Path, page: Path, target: Path, *, root: bool) -> list[str]:
    """The command that prints `page` to `target`.

    Args:
        folder: Chromium's profile goes there.
        root: whether it is root who runs it.
    """
    return [
        unshare,
        "--user",
        *(AS_SOMEBODY if root else ("--map-current-user",)),
        "--net",
        chromium,
        "--headless",
        "--disable-gpu",
        "--disable-extensions",
        "--disable-background-networking",
        "--disable-component-update",
        "--no-first-run",
        f"--user-data-dir={folder / 'chromium'}",
        "--no-pdf-header-footer",
        "--generate-pdf-document-outline",
        f"--print-to-pdf={target}",
        page.as_uri(),
    ]


def to_pdf(html: str, *, seconds: float = SECONDS) -> Printed:
    """Print a page; never raises for what Chromium does.

    Args:
        seconds: after which it is ended.
    """
    chromium = next(filter(None, map(shutil.which, PROGRAMS)), None)
    unshare = shutil.which("unshare")
    if chromium is None:
        return Printed(reason=N_("Chromium is not installed on this machine."))
    if unshare is None:
        return Printed(reason=N_("This machine can't run Chromium without a network (unshare is missing)."))
    # Directly under the system's folder for such: the path of a socket that Chromium makes in it may not be long.
    with tempfile.TemporaryDirectory(prefix="leitstand-pdf-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        page, target = folder / "page.html", folder / "page.pdf"
        page.write_text(html, encoding="utf-8")
        argv = command(chromium, unshare, folder, page, target, root=os.geteuid() == 0)
        failure = _run(argv, folder, seconds)
        data = target.read_bytes() if target.is_file() else b""
    if data.startswith(b"%PDF-") and not failure:
        return Printed(data)
    log.warning("no PDF", reason=failure)
    return Printed(reason=failure or N_("Chromium wrote no PDF."))


def _run(argv: list[str], folder: Path, seconds: float) -> str:
    """Run it in a session of its own, so that all of it can be ended; gives why it failed, empty when it did not."""
    with (folder / "chromium.log").open("wb") as said:
        process = subprocess.Popen(
            argv,
            env=_environment(folder),
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            cwd=folder,
            start_new_session=True,
        )
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired:
            return f"Chromium did not print it within {seconds:g} s."
        finally:
            _end(process)
    return f"Chromium could not print it (exit code {code})." if code else ""


def _environment(folder: Path) -> dict[str, str]:
    """Nothing of ours: no setting and no secret."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "TMPDIR": str(folder),
    }


def _end(process: "subprocess.Popen[bytes]") -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
