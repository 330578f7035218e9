"""The copies that a lab shows, and what it refuses."""

import importlib.util
import json
import socket
from pathlib import Path

import pytest

from leitstand.errors import Conflict, Unavailable
from leitstand.runbooks import lab
from leitstand.runbooks.lab import prepare
from leitstand.settings import Settings


@pytest.fixture
def here(settings: Settings, tmp_path: Path) -> Settings:
    return settings.model_copy(update={"data_dir": tmp_path})


def names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*.ipynb")}


def test_copies_of_all_notebooks_run_in_our_kernel_and_the_originals_stay(here: Settings) -> None:
    made = prepare(here)
    copies = made.folder / "notebooks"
    originals = {
        f"{folder}/{path.name}"
        for folder in ("runbooks", "restore-drills")
        for path in (here.notebooks_dir / folder).glob("*.ipynb")
    }
    assert names(copies) == originals | {"catalogue.ipynb"} and len(originals) >= 17
    for name in names(copies):
        assert json.loads((copies / name).read_text())["metadata"]["kernelspec"]["name"] == "leitstand"
        assert (copies / name).stat().st_mode & 0o077 == 0
    original = json.loads((here.notebooks_dir / "lab" / "catalogue.ipynb").read_text())
    assert original["metadata"]["kernelspec"]["name"] == "python3"


def test_a_copy_that_somebody_changed_is_kept_beside_a_fresh_one(here: Settings) -> None:
    first = prepare(here)
    assert first.kept == ()
    assert prepare(here).kept == (), "nothing was changed"
    changed = first.folder / "notebooks" / "runbooks" / "rb070-disk-full.ipynb"
    fresh = changed.read_text()
    changed.write_text(fresh.replace("# Runbook", "# My runbook"))
    (first.folder / "notebooks" / "mine.ipynb").write_text(fresh)
    (kept,) = prepare(here).kept
    assert kept.name == changed.name and "# My runbook" in kept.read_text()
    assert changed.read_text() == fresh
    assert (first.folder / "notebooks" / "mine.ipynb").read_text() == fresh, "nobody else's file is touched"


def test_a_release_that_changes_a_notebook_replaces_copies_that_nobody_changed(
    here: Settings, tmp_path: Path
) -> None:
    made = prepare(here)
    released = tmp_path / "released"
    for folder in ("runbooks", "restore-drills", "lab"):
        (released / folder).mkdir(parents=True)
    source = (here.notebooks_dir / "lab" / "catalogue.ipynb").read_text()
    (released / "lab" / "catalogue.ipynb").write_text(
        source.replace("# The catalogue", "# The new catalogue")
    )
    assert prepare(here.model_copy(update={"notebooks_dir": released})).kept == ()
    assert "# The new catalogue" in (made.folder / "notebooks" / "catalogue.ipynb").read_text()


def test_a_token_is_new_each_time_and_in_no_address(here: Settings) -> None:
    one, other = prepare(here), prepare(here)
    assert one.token != other.token and len(one.token) > 40
    assert one.token not in one.address and one.token not in repr(one)


def test_a_port_in_use_is_said_before_anything_is_laid(here: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(Conflict, match="in use") as refused:
        prepare(here, taken.getsockname()[1])
    assert "--port" in refused.value.hint
    assert not (here.data_dir / "lab").exists()


def test_who_has_no_jupyterlab_is_told_how_to_get_it(here: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(lab, "find_spec", lambda name: None if name == "jupyterlab" else find(name))
    with pytest.raises(Unavailable, match="not installed") as refused:
        prepare(here)
    assert "./run runbook lab" in refused.value.hint
