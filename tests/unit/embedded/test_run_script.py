"""./run finds a Python that works, keeps the environment equal to its lock, and mends one that was left half made."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from leitstand.settings import REPOSITORY

PYTHON = """\
#!/usr/bin/env bash
# Stands for the environment's Python: notes what is asked of uv and of leitstand, and leaves the rest to a real one.
case "$1 $2" in
    "-m uv") echo "uv $*" >>"{notes}"; if [ "$3" = --version ]; then echo "uv {pinned}"; fi; exit {uv_exit} ;;
    "-P -m") echo "leitstand $*" >>"{notes}"; exit 0 ;;
esac
exec {real} "$@"
"""


@dataclass
class Checkout:
    """A copy of what ./run needs, with an environment whose Python takes notes."""

    folder: Path

    @property
    def environment(self) -> Path:
        return self.folder / ".venv"

    @property
    def notes(self) -> str:
        path = self.folder / "notes"
        return path.read_text() if path.exists() else ""

    def give_python(self, *, uv_exit: int = 0) -> None:
        lock = (self.folder / "deploy/embedded/bootstrap.lock").read_text()
        pinned = lock.split("==")[1].split()[0]
        path = self.environment / "bin" / "python"
        path.parent.mkdir(parents=True, exist_ok=True)
        values = {
            "notes": self.folder / "notes",
            "pinned": pinned,
            "uv_exit": uv_exit,
            "real": sys.executable,
        }
        path.write_text(PYTHON.format(**values))
        path.chmod(0o755)

    def stamp(self, lock: str) -> None:
        shutil.copy(self.folder / lock, self.environment / lock)

    def run(self, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        clean = {"HOME": str(self.folder / "home"), "PATH": "/usr/bin:/bin"}
        return subprocess.run(
            [str(self.folder / "run"), *arguments],
            env=clean | variables,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


LOCKS = ("requirements.lock", "requirements-distributed.lock", "requirements-dev.lock")


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    folder = tmp_path / "a check out"
    for name in ("run", *LOCKS, "deploy/embedded/bootstrap.lock"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(REPOSITORY / name, folder / name)
    (folder / "home").mkdir()
    suite = folder / "tests" / "suite"
    suite.parent.mkdir()
    suite.write_text(f'#!/bin/sh\necho "suite $*" >>"{folder}/notes"\n')
    suite.chmod(0o755)
    return Checkout(folder)


def test_an_environment_equal_to_its_lock_is_used_as_it_is(checkout: Checkout) -> None:
    checkout.give_python()
    checkout.stamp("requirements.lock")
    done = checkout.run("status", "--json")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert checkout.notes == "leitstand -P -m leitstand status --json\n"


@pytest.mark.parametrize("state", ["no stamp", "another lock", "an emptied stamp"])
def test_a_stale_or_half_made_environment_is_mended(checkout: Checkout, state: str) -> None:
    checkout.give_python()
    if state != "no stamp":
        (checkout.environment / "requirements.lock").write_text("" if "emptied" in state else "other==1\n")
    assert checkout.run("status").returncode == 0
    assert f"{checkout.folder}/requirements.lock" in checkout.notes
    assert "pip sync" in checkout.notes
    assert "--require-hashes" in checkout.notes
    again = len(checkout.notes)
    checkout.run("status")
    assert "uv" not in checkout.notes[again:]
    assert not (checkout.folder / ".venv.lock").exists()


def test_a_failed_installation_leaves_no_stamp_and_says_what_to_do(checkout: Checkout) -> None:
    checkout.give_python(uv_exit=1)
    checkout.stamp("requirements-dev.lock")
    (checkout.folder / "requirements-dev.lock").write_text("changed\n")
    done = checkout.run("up")
    assert done.returncode == 3
    assert "error:" in done.stderr
    assert "hint:" in done.stderr
    assert not list(checkout.environment.glob("requirements*.lock"))
    assert "leitstand" not in checkout.notes
    assert not (checkout.folder / ".venv.lock").exists()


def test_tests_bring_the_developers_packages_and_up_leaves_them(checkout: Checkout) -> None:
    checkout.give_python()
    checkout.stamp("requirements.lock")
    assert checkout.run("test", "quick").returncode == 0
    assert "requirements-dev.lock" in checkout.notes
    assert checkout.notes.endswith("suite test quick\n")
    before = len(checkout.notes)
    checkout.run("up")
    assert checkout.notes[before:] == "leitstand -P -m leitstand up\n"


def test_the_client_of_a_cluster_comes_and_goes_with_its_setting(checkout: Checkout) -> None:
    checkout.give_python()
    checkout.stamp("requirements.lock")
    checkout.run("status", LEITSTAND_INSIGHTS_ENGINE="distributed")
    assert f"{checkout.folder}/requirements-distributed.lock" in checkout.notes
    before = len(checkout.notes)
    checkout.run("status")
    assert f"{checkout.folder}/requirements.lock" in checkout.notes[before:]


def test_a_benchmark_is_run_by_its_name_and_one_without_a_name_is_refused(checkout: Checkout) -> None:
    checkout.give_python()
    checkout.stamp("requirements.lock")
    checkout.run("bench", "insights", "--folder", "here")
    assert "leitstand -P -m benchmarks.insights --folder here" in checkout.notes
    refused = checkout.run("bench")
    assert refused.returncode == 3
    assert "Which benchmark?" in refused.stderr


def test_a_lock_of_a_dead_process_is_taken_over(checkout: Checkout) -> None:
    checkout.give_python()
    (checkout.folder / ".venv.lock").mkdir()
    (checkout.folder / ".venv.lock" / "pid").write_text(f"{2**22 + 1}\n")
    assert checkout.run("status").returncode == 0
    assert "pip sync" in checkout.notes


def test_without_python_it_says_how_to_get_one(checkout: Checkout) -> None:
    shims = checkout.folder / "shims"
    shims.mkdir()
    for name in ("python3.12", "python3.13", "python3"):
        (shims / name).write_text("#!/bin/sh\necho 'pyenv: command not found' >&2\nexit 127\n")
        (shims / name).chmod(0o755)
    for tool in ("bash", "dirname", "cmp", "cat", "mkdir", "rm", "env", "sed", "sleep"):
        (shims / tool).symlink_to(shutil.which(tool) or "")
    done = checkout.run("up", PATH=str(shims))
    assert done.returncode == 3
    assert "Python 3.12 or 3.13" in done.stderr
    assert done.stderr.count("hint:") == 3
    assert not (checkout.folder / ".venv.lock").exists()


def test_a_shim_that_does_not_work_is_passed_over(checkout: Checkout, tmp_path: Path) -> None:
    shims, versions = tmp_path / "shims", checkout.folder / "home/.pyenv/versions/3.12.9/bin"
    shims.mkdir()
    versions.mkdir(parents=True)
    (shims / "python3.12").write_text("#!/bin/sh\nexit 127\n")
    (shims / "python3.12").chmod(0o755)
    (versions / "python").write_text(
        f'#!/bin/sh\nif [ "$1 $2" = "-m venv" ]; then echo "venv by pyenv" >>"{checkout.folder}/notes"; exit 1; fi\nexec {sys.executable} "$@"\n'
    )
    (versions / "python").chmod(0o755)
    os_python = shutil.which("python3", path="/usr/bin:/bin")
    if (
        os_python
        and subprocess.run(
            [
                os_python,
                "-c",
                "import sys, ensurepip; sys.exit(sys.version_info[:2] not in ((3, 12), (3, 13)))",
            ],
            capture_output=True,
            check=False,
        ).returncode
        == 0
    ):
        pytest.skip("this machine's own Python comes first")
    done = checkout.run("up", PATH=f"{shims}:/usr/bin:/bin")
    assert done.returncode == 3
    assert checkout.notes == "venv by pyenv\n"


def test_a_relative_data_folder_is_meant_from_where_the_person_stands(
    checkout: Checkout, tmp_path: Path
) -> None:
    checkout.give_python()
    checkout.stamp("requirements.lock")
    python = checkout.environment / "bin" / "python"
    python.write_text(
        python.read_text().replace('echo "leitstand $*"', 'echo "$LEITSTAND_DATA_DIR|$PYTHONPATH"')
    )
    subprocess.run(
        [str(checkout.folder / "run"), "status"],
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "LEITSTAND_DATA_DIR": "mine"},
        cwd=tmp_path,
        check=True,
    )
    assert checkout.notes == f"{tmp_path}/mine|{checkout.folder}\n"
