"""A drill's target, and what is removed of a killed one."""

import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from leitstand.errors import PreconditionFailed
from leitstand.runbooks import scratch
from leitstand.settings import Settings


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "scratch").mkdir()
    return tmp_path / "scratch"


def test_a_folder_of_its_own_is_taken(root: Path, tmp_path: Path) -> None:
    scratch.refuse_live_target(root / "drill-1" / "postgres", root=root, live_data=str(tmp_path / "postgres"))


def test_the_live_data_is_never_a_target(root: Path, tmp_path: Path) -> None:
    live = root / "drill-1" / "postgres"
    for target in (live, live / "base", root / "drill-1"):
        with pytest.raises(PreconditionFailed, match="live data"):
            scratch.refuse_live_target(target, root=root, live_data=str(live))


def test_a_link_to_the_live_data_does_not_help(root: Path, tmp_path: Path) -> None:
    (tmp_path / "live").mkdir()
    (root / "drill-1").symlink_to(tmp_path / "live")
    with pytest.raises(PreconditionFailed):
        scratch.refuse_live_target(root / "drill-1", root=root, live_data=str(tmp_path / "live"))


def test_elsewhere_is_refused(root: Path, tmp_path: Path) -> None:
    with pytest.raises(PreconditionFailed, match="only there"):
        scratch.refuse_live_target(root / ".." / "other", root=root, live_data=str(tmp_path / "postgres"))


@pytest.mark.parametrize("file", ["PG_VERSION", "postmaster.pid"])
def test_a_folder_with_a_cluster_is_refused(root: Path, tmp_path: Path, file: str) -> None:
    (root / "drill-1").mkdir()
    (root / "drill-1" / file).touch()
    with pytest.raises(PreconditionFailed, match="holds a cluster"):
        scratch.refuse_live_target(root / "drill-1", root=root, live_data=str(tmp_path / "postgres"))


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ("sandbox", True),
        ("01a20a9a-4702-711d-9318-d52c316a12e2", True),
        ("../x", False),
        ("", False),
        ("01A20A9A-4702-711D-9318-D52C316A12E2", False),
    ],
)
def test_run_ids(text: str, valid: bool) -> None:
    assert scratch.is_run_id(text) is valid


def test_only_processes_of_the_folder_are_ended(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    folder = scratch.make_folder(settings, "sandbox")
    code = "import sys, time; time.sleep(60)"
    kernel = subprocess.Popen(
        [sys.executable, "-c", code, "ipykernel_launcher", f"{folder}/jupyter/kernel.json"]
    )
    stranger = subprocess.Popen(
        [sys.executable, "-c", code, "ipykernel_launcher", f"{folder}-other/kernel.json"]
    )
    editor = subprocess.Popen([sys.executable, "-c", code, f"{folder}/server.log"])
    try:
        time.sleep(0.2)
        assert scratch.remove_leftovers(settings) == ["drill-sandbox"]
        assert kernel.poll() is not None
        assert not folder.exists()
        assert (stranger.poll(), editor.poll()) == (None, None)
    finally:
        for process in (kernel, stranger, editor):
            if psutil.pid_exists(process.pid):
                process.kill()
            process.wait()


def test_a_forged_socket_record_removes_nothing_else(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    precious = tmp_path / "leitstand-drill-precious"
    precious.mkdir()
    folder = scratch.make_folder(settings, "sandbox")
    (folder / "sockets.json").write_text(f'{{"folder": "{precious}"}}')
    scratch.remove(folder)
    assert precious.exists() and not folder.exists()
