"""JupyterLab over copies of the runbooks and drills: to read them, try them dry and look around in the catalogue.

What runs here is a dry run of a sandbox and leaves no evidence; for real a runbook runs through `leitstand runbook
run`. The server listens on the loopback alone, wants a token of its own, and asks no other host for anything.
"""

import json
import os
import secrets
import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from leitstand.backups.keys import write_private
from leitstand.errors import Conflict, Unavailable
from leitstand.runbooks import documents
from leitstand.runbooks.kernels import KERNEL, notebook_environment
from leitstand.runbooks.library import DRILLS, RUNBOOKS, notebooks
from leitstand.services import LAB
from leitstand.settings import Settings
from leitstand.words import msg

HOST = "127.0.0.1"
START = "catalogue.ipynb"
FOLDERS = (RUNBOOKS, DRILLS)
EARLIER = "earlier"
PRIVATE = 0o700
# JupyterLab compiles the schemas of its settings, which is `eval` to a browser.
CSP = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self' ws: wss:; worker-src 'self' blob:; "
    "frame-src 'self' blob:; frame-ancestors 'self'; form-action 'self'; base-uri 'none'; object-src 'none'"
)
# Both ask hosts outside: one for news of Jupyter's, one for packages.
ASKING = ("@jupyterlab/apputils-extension:announcements", "@jupyterlab/extensionmanager-extension")
THEME = '{"adaptive-theme": true, "preferred-light-theme": "JupyterLab Light", "preferred-dark-theme": "JupyterLab Dark"}'


@dataclass(frozen=True)
class Lab:
    """A lab that is about to run.

    Args:
        folder: <data_dir>/lab.
        address: where a browser finds it.
        token: what its sign-in asks for; made anew at every start, and never part of an address, which logs keep.
        kept: copies that were changed since they were laid, and where they are now.
    """

    folder: Path
    port: int
    address: str
    token: str = field(repr=False)
    kept: tuple[Path, ...] = ()


def prepare(settings: Settings, port: int = 0) -> Lab:
    """Lay fresh copies of the notebooks and choose a token.

    Args:
        port: 0: the environment's own for it, where its proxy finds it.

    Raises:
        Unavailable: JupyterLab is not installed.
        Conflict: something listens at that port.
    """
    if find_spec("jupyterlab") is None:
        raise Unavailable(
            "JupyterLab is not installed.",
            hint="In a checkout `./run runbook lab` installs it; elsewhere install leitstand[lab].",
        )
    own = settings.port + LAB.offset
    port = port or own
    if not _is_free(port):
        raise Conflict(
            msg("Port {port} is in use.", port=port),
            hint="Is a lab running already? End it there, or choose another: --port NUMBER.",
        )
    folder = settings.data_dir / "lab"
    kept = _lay(settings, folder / "notebooks", folder / EARLIER)
    proxied = port == own and not _is_free(settings.port)
    beginning = settings.base_url if proxied else f"http://{HOST}:{port}"
    address = f"{beginning}{LAB.prefix}/lab/tree/{START}"
    return Lab(folder, port, address, secrets.token_urlsafe(32), kept)


def serve(settings: Settings, lab: Lab, *, hosts: list[str], ready: Callable[[], None]) -> None:
    """Run JupyterLab in this process until it is told to end (SIGINT, SIGTERM, or its own menu).

    Args:
        hosts: names under which it may be asked, besides the loopback's.
        ready: called when it answers.
    """
    own = lab.folder / "server"
    lab.folder.chmod(PRIVATE)
    shutil.rmtree(own, ignore_errors=True)
    own.mkdir(parents=True, mode=PRIVATE)
    environment = notebook_environment(settings, own)
    os.environ.clear()
    os.environ.update(environment)
    try:
        _write_settings(lab.folder, own / "jupyter" / "config")
        # Only now: Jupyter reads its folders from the environment when it is imported.
        from jupyterlab.labapp import LabApp
        from traitlets.config import Config

        with _errors_in(lab.folder / "lab.log"):
            server = LabApp.initialize_server(argv=[], config=Config(_config(lab, hosts)))
            server.io_loop.add_callback(ready)
            server.start()
    finally:
        shutil.rmtree(own, ignore_errors=True)


@contextmanager
def _errors_in(path: Path) -> Iterator[None]:
    """Standard error, of the kernels as well, goes to a file: Jupyter writes lines for every request and cell."""
    sys.stderr.flush()
    kept = os.dup(sys.stderr.fileno())
    with path.open("a") as log:
        os.dup2(log.fileno(), sys.stderr.fileno())
    try:
        yield
    finally:
        os.dup2(kept, sys.stderr.fileno())
        os.close(kept)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _lay(settings: Settings, folder: Path, earlier: Path) -> tuple[Path, ...]:
    """Copies of the notebooks; one that somebody changed, or ran, is moved out of the way first."""
    kept, now = [], f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    for name, fresh in _fresh(settings):
        copy, laid = folder / name, folder.parent / "laid" / name
        if copy.exists() and (not laid.exists() or copy.read_bytes() != laid.read_bytes()):
            aside = earlier / now / name
            aside.parent.mkdir(parents=True, exist_ok=True, mode=PRIVATE)
            copy.rename(aside)
            kept.append(aside)
        for path in (copy, laid):
            path.parent.mkdir(parents=True, exist_ok=True, mode=PRIVATE)
            write_private(path, fresh)
    return tuple(kept)


def _fresh(settings: Settings) -> Iterator[tuple[str, str]]:
    """Place and content of every copy, which runs in our kernel."""
    sources = {START: settings.notebooks_dir / "lab" / START}
    sources |= {f"{name}/{one.path.name}": one.path for name in FOLDERS for one in notebooks(settings, name)}
    for name, path in sources.items():
        notebook = documents.read(path)
        notebook.metadata.kernelspec = {"name": KERNEL, "display_name": "Leitstand", "language": "python"}
        yield name, documents.dumps(notebook)


def _write_settings(folder: Path, config: Path) -> None:
    """What the page reads from files: what is switched off, and light or dark as the person's system is."""
    (config / "labconfig").mkdir(parents=True, mode=PRIVATE)
    (config / "labconfig" / "page_config.json").write_text(
        json.dumps({"disabledExtensions": dict.fromkeys(ASKING, True)})
    )
    theme = folder / "settings" / "@jupyterlab" / "apputils-extension" / "themes.jupyterlab-settings"
    if not theme.exists():
        theme.parent.mkdir(parents=True, exist_ok=True, mode=PRIVATE)
        theme.write_text(THEME)


def _config(lab: Lab, hosts: list[str]) -> dict[str, dict[str, Any]]:
    root = str(lab.folder / "notebooks")
    return {
        "ServerApp": {
            "ip": HOST,
            "port": lab.port,
            "port_retries": 0,
            "base_url": f"{LAB.prefix}/",
            "root_dir": root,
            "open_browser": False,
            # Containers have no other user; elsewhere whoever starts it as root is asked nothing new by Jupyter.
            "allow_root": True,
            "answer_yes": True,
            "allow_password_change": False,
            "terminals_enabled": False,
            "local_hostnames": ["localhost", *hosts],
            "tornado_settings": {"headers": {"Content-Security-Policy": CSP}},
            "log_level": "WARN",
        },
        "IdentityProvider": {"token": lab.token},
        "KernelSpecManager": {"allowed_kernelspecs": {KERNEL}, "ensure_native_kernel": False},
        "MultiKernelManager": {"default_kernel_name": KERNEL},
        "ContentsManager": {"allow_hidden": False},
        "LabApp": {
            "default_url": f"/lab/tree/{START}",
            "extension_manager": "readonly",
            "check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
            "news_url": None,
            "user_settings_dir": str(lab.folder / "settings"),
            "workspaces_dir": str(lab.folder / "workspaces"),
        },
    }
