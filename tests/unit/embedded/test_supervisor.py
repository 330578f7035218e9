"""The supervisor: its socket's place, and what it says when it is not there."""

import configparser
from pathlib import Path

import pytest

from leitstand.embedded import supervisor as module
from leitstand.embedded.environment import Environment
from leitstand.embedded.programs import PROGRAMS
from leitstand.embedded.supervisor import SOCKET_PATH_BYTES, Supervisor, configuration, socket_path
from leitstand.errors import PreconditionFailed, Unavailable


def test_a_service_is_tried_again_for_ever_and_stopped_with_its_group() -> None:
    parsed = configparser.RawConfigParser()
    parsed.read_string(configuration())
    for program in PROGRAMS:
        section = parsed[f"program:{program.service.name}"]
        assert section["autorestart"] == "true"
        assert int(section["startretries"]) >= 100_000
        assert section["killasgroup"] == "true"
        assert section["stopsignal"] == program.stop_signal


def test_the_socket_lies_in_the_data_folder_where_its_path_is_short(tmp_path: Path) -> None:
    environment = Environment(Path("/srv/leitstand"), 9000)
    assert socket_path(environment) == Path("/srv/leitstand/supervisor.sock")


def test_the_socket_of_a_long_folder_is_short_and_its_own() -> None:
    long = Path("/srv") / ("ü" * 60)
    first, second = (socket_path(Environment(long / name, 9000)) for name in ("a", "b"))
    assert first != second
    assert all(len(bytes(path)) <= SOCKET_PATH_BYTES for path in (first, second))


def test_a_folder_that_others_can_write_holds_no_socket(tmp_path: Path) -> None:
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(0o777)
    with pytest.raises(PreconditionFailed):
        module._prepare_socket(folder / "supervisor.sock")


def test_no_supervisor_means_no_states(tmp_path: Path) -> None:
    supervisor = Supervisor(Environment(tmp_path, 9000))
    assert supervisor.states() is None
    assert not supervisor.running()
    with pytest.raises(Unavailable):
        supervisor.shut_down()


def test_a_dead_socket_means_no_states(tmp_path: Path) -> None:
    environment = Environment(tmp_path, 9000)
    socket_path(environment).write_text("")
    assert Supervisor(environment).states() is None
