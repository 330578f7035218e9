"""Which environment is meant, what it remembers, and that nobody else reads its files."""

import json
from pathlib import Path

import pytest

from leitstand.embedded import environment as module
from leitstand.embedded.environment import DEFAULT_PORT, Environment, locate, write_private
from leitstand.errors import Conflict, InvalidInput, PreconditionFailed
from leitstand.settings import load_settings


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LEITSTAND_DATA_DIR", raising=False)
    monkeypatch.delenv("LEITSTAND_PORT", raising=False)


def test_the_folder_is_that_of_the_option_else_of_the_variable_else_var(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert locate().data_dir == module.REPOSITORY / "var"
    monkeypatch.setenv("LEITSTAND_DATA_DIR", str(tmp_path / "variable"))
    assert locate().data_dir == tmp_path / "variable"
    assert locate(tmp_path / "option").data_dir == tmp_path / "option"


def test_a_relative_folder_becomes_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert locate(Path("here")).data_dir == tmp_path / "here"


def test_the_port_is_that_of_the_option_else_of_the_variable_else_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert locate(tmp_path).port == DEFAULT_PORT
    Environment(tmp_path, 9000).remember()
    assert locate(tmp_path).port == 9000
    monkeypatch.setenv("LEITSTAND_PORT", "9100")
    assert locate(tmp_path).port == 9100
    assert locate(tmp_path, 9200).port == 9200


def test_every_command_finds_the_remembered_port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Environment(tmp_path, 9000).remember()
    monkeypatch.setenv("LEITSTAND_DATA_DIR", str(tmp_path))
    settings = load_settings()
    assert (settings.port, settings.data_dir) == (9000, tmp_path)


@pytest.mark.parametrize("port", ["eighty", "80", "65000", "-1"])
def test_a_port_that_can_not_be_is_refused(port: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEITSTAND_PORT", port)
    with pytest.raises(InvalidInput):
        locate()


@pytest.mark.parametrize("content", ["", "{", "[]", "null", "\x00"])
def test_a_broken_memory_counts_as_none(content: str, tmp_path: Path) -> None:
    (tmp_path / module.MEMORY_FILE).write_text(content)
    assert locate(tmp_path) == Environment(tmp_path, DEFAULT_PORT)
    assert load_settings().port


def test_what_is_remembered_is_added_to_what_was(tmp_path: Path) -> None:
    environment = Environment(tmp_path, 9000)
    environment.remember(demo="a")
    environment.remember(last_start={"seconds": 3})
    assert environment.recall() == {"port": 9000, "demo": "a", "last_start": {"seconds": 3}}
    assert json.loads((tmp_path / module.MEMORY_FILE).read_text()) == environment.recall()


def test_private_files_are_private_even_where_they_were_not(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("old")
    path.chmod(0o644)
    write_private(path, "new")
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("new", 0o600)
    assert [entry.name for entry in tmp_path.iterdir()] == ["secret"]


def test_a_missing_secret_is_named_and_never_empty(tmp_path: Path) -> None:
    with pytest.raises(PreconditionFailed, match="session_secret"):
        Environment(tmp_path, 9000).secret("session_secret")


def test_only_one_at_a_time_works_on_an_environment(tmp_path: Path) -> None:
    environment = Environment(tmp_path, 9000)
    with environment.exclusive(), pytest.raises(Conflict), environment.exclusive():
        pass
    with environment.exclusive():
        pass
