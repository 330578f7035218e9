"""What a machine lacks is said, with the way out."""

import shutil
import socket
from pathlib import Path

import pytest

from leitstand.embedded import preflight
from leitstand.embedded.environment import Environment
from leitstand.errors import PreconditionFailed
from leitstand.services import SERVICES
from tests.services import free_base_port


def test_a_taken_port_is_named_with_its_owner_and_another_is_offered(tmp_path: Path) -> None:
    base = free_base_port()
    with socket.create_server(("127.0.0.1", base + 2)), pytest.raises(PreconditionFailed) as refused:
        preflight.check_ports(Environment(tmp_path, base))
    assert f"Port {base + 2}, needed for api, is taken by python" in refused.value.message
    offered = int(refused.value.hint.rsplit(" ", 1)[1])
    preflight.check_ports(Environment(tmp_path, offered))


def test_inner_ports_of_the_object_store_are_looked_at_too(tmp_path: Path) -> None:
    ports = preflight.ports_of(Environment(tmp_path, 9000))
    assert len(ports) == len(SERVICES) + 4 + 5
    assert {9000, 9014, 19_010, 19_014} <= set(ports)


def test_too_little_disk_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(preflight, "DISK_BYTES", usage.free + 10**12)
    with pytest.raises(PreconditionFailed, match="are free") as refused:
        preflight.check_disk(tmp_path / "not" / "made" / "yet")
    assert "--data-dir" in refused.value.hint


def test_a_folder_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(PreconditionFailed, match="can't be written"):
        preflight.check_disk(tmp_path / "file" / "var")


def test_too_little_memory_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "MEMORY_BYTES", preflight.available_memory() * 10)
    with pytest.raises(PreconditionFailed, match="of memory"):
        preflight.check_memory()


def test_a_containers_limit_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "CGROUP", tmp_path)
    free = preflight.available_memory()
    assert free > 1000
    (tmp_path / "memory.max").write_text("1000\n")
    (tmp_path / "memory.current").write_text("900\n")
    (tmp_path / "memory.stat").write_text("anon 600\ninactive_file 50\n")
    assert preflight.available_memory() == 150
    (tmp_path / "memory.max").write_text("max\n")
    assert preflight.available_memory() > 1000


def test_another_python_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "PYTHONS", ((3, 9),))
    with pytest.raises(PreconditionFailed, match=r"needs 3\.12 or 3\.13"):
        preflight.check_python()
