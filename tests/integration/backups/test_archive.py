"""The archive of the write-ahead log, as PostgreSQL itself calls it."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from leitstand.backups import wal
from leitstand.backups.archived_log import archived_files, missing_log, segments_since
from leitstand.backups.fetch_wal import BROKEN
from leitstand.backups.operations import run_backup
from leitstand.backups.server_commands import archive_command, restore_command
from leitstand.settings import Settings
from tests.source import Source

CONTENT = os.urandom(100_000)


@pytest.fixture
def server(source: Source, tmp_path: Path) -> Path:
    """A data folder with a control file of its own and a folder of log segments."""
    folder = tmp_path / "server"
    (folder / "global").mkdir(parents=True)
    (folder / "pg_wal" / "archive_status").mkdir(parents=True)
    (folder / "global" / "pg_control").write_bytes(os.urandom(8) + b"rest")
    return folder


def call(command: str, server: Path, name: str, path: str) -> "subprocess.CompletedProcess[str]":
    """As the server does it: placeholders filled in, by a shell, in its data folder."""
    filled = command.replace("%p", path).replace("%f", name).replace("%%", "%")
    return subprocess.run(["/bin/sh", "-c", filled], cwd=server, capture_output=True, text=True, check=False)


def archived(
    settings: Settings, server: Path, name: str, content: bytes
) -> "subprocess.CompletedProcess[str]":
    (server / "pg_wal" / name).write_bytes(content)
    return call(archive_command(settings), server, name, f"pg_wal/{name}")


def fetched(settings: Settings, server: Path, name: str) -> "subprocess.CompletedProcess[str]":
    (server / "RECOVERY").unlink(missing_ok=True)
    return call(restore_command(settings, server.parent / "access"), server, name, "RECOVERY")


NAME = "000000010000000000000005"


def test_what_is_archived_comes_back(source: Source, server: Path) -> None:
    done = archived(source.settings, server, NAME, CONTENT)
    assert done.returncode == 0, done.stderr
    body = source.storage.get_bytes(
        source.settings.bucket_backups, wal.key(wal.system_identifier(server), NAME)
    )
    assert body.startswith(b"age-encryption.org/v1\n")
    assert fetched(source.settings, server, NAME).returncode == 0
    assert (server / "RECOVERY").read_bytes() == CONTENT


@pytest.mark.fault(7)
def test_the_same_again_is_fine_and_other_content_is_refused(source: Source, server: Path) -> None:
    """A clone that archives into its source's archive destroys nothing."""
    assert archived(source.settings, server, NAME, CONTENT).returncode == 0
    assert archived(source.settings, server, NAME, CONTENT).returncode == 0
    refused = archived(source.settings, server, NAME, b"another history")
    assert refused.returncode == 1 and "another" in refused.stderr.lower()
    assert fetched(source.settings, server, NAME).returncode == 0
    assert (server / "RECOVERY").read_bytes() == CONTENT


def test_what_waits_is_stored_ahead_and_acknowledged_only_for_that_content(
    source: Source, server: Path
) -> None:
    names = [NAME]
    while len(names) < 4:
        names.append(wal.next_segment(names[-1]))
    status = server / "pg_wal" / "archive_status"
    for name in names[1:]:
        (server / "pg_wal" / name).write_bytes(CONTENT + name.encode())
        (status / f"{name}.ready").touch()
    assert archived(source.settings, server, NAME, CONTENT).returncode == 0
    assert sorted(mark.name for mark in status.glob("*.stored")) == [f"{name}.stored" for name in names[1:]]
    assert archived(source.settings, server, names[1], CONTENT + names[1].encode()).returncode == 0
    assert not (status / f"{names[1]}.stored").exists()
    assert archived(source.settings, server, names[2], b"other content").returncode == 1, (
        "a mark is for one content"
    )


def test_a_store_that_is_down_is_no_success(source: Source, server: Path) -> None:
    """The segment stays with the server, which tries again."""
    down = source.settings.model_copy(
        update={"s3_endpoint": "http://127.0.0.1:9", "data_dir": server.parent / "down"}
    )
    failed = archived(down, server, NAME, CONTENT)
    assert failed.returncode == 1 and "not archived" in failed.stderr
    shutil.copytree(source.settings.data_dir / "keys", down.data_dir / "keys", dirs_exist_ok=True)
    assert fetched(down, server, NAME).returncode == BROKEN, "recovery must stop, not end"


def test_the_end_of_the_archive_is_told_apart_from_trouble(
    source: Source, server: Path, tmp_path: Path
) -> None:
    assert archived(source.settings, server, NAME, CONTENT).returncode == 0
    assert fetched(source.settings, server, wal.next_segment(NAME)).returncode == 1
    assert fetched(source.settings, server, "00000002.history").returncode == 1
    command = restore_command(source.settings, tmp_path / "access").replace(
        "leitstand.backups.fetch_wal", "leitstand.no_such_module"
    )
    assert call(command, server, NAME, "RECOVERY").returncode == BROKEN
    key = wal.key(wal.system_identifier(server), NAME)
    body, metadata = (
        source.storage.get_bytes(source.settings.bucket_backups, key),
        source.storage.head(source.settings.bucket_backups, key).metadata,
    )
    metadata.pop("sha256")
    source.storage.put_bytes(source.settings.bucket_backups, key, body[:-10], metadata=metadata)
    assert fetched(source.settings, server, NAME).returncode == BROKEN


def test_a_name_that_is_none_is_refused(source: Source, server: Path) -> None:
    assert call(archive_command(source.settings), server, "../../secret", "pg_wal").returncode == 1


def test_the_archiver_can_not_open_what_it_stores_and_knows_no_other_secret(source: Source) -> None:
    archive_command(source.settings)
    folder = source.settings.data_dir / "archive"
    texts = "".join(path.read_text() for path in folder.rglob("*") if path.is_file())
    assert "AGE-SECRET-KEY" not in texts
    assert source.settings.database_password.get_secret_value() not in texts
    assert oct(folder.stat().st_mode & 0o777) == "0o700"


def test_a_path_with_odd_characters_survives_the_shell(source: Source, server: Path, tmp_path: Path) -> None:
    odd = source.settings.model_copy(update={"data_dir": tmp_path / 'it\'s 100% "odd" $HOME'})
    assert archived(odd, server, NAME, CONTENT).returncode == 0


def test_postgresql_archives_without_a_gap_under_load(source: Source) -> None:
    run_backup(source.engine, source.settings, "postgres")
    source.execute("CREATE TABLE load AS SELECT i, repeat('x', 200) FROM generate_series(1, 400000) AS i")
    last = source.archive_now()
    backup = run_backup(source.engine, source.settings, "postgres")
    assert last in {one.name for one in archived_files(source.storage, backup.manifest)}
    assert missing_log(source.storage, source.settings.bucket_backups, backup.manifest) == ""
    assert source.one("SELECT failed_count FROM pg_stat_archiver") == 0


def test_a_missing_segment_is_named(source: Source) -> None:
    backup = run_backup(source.engine, source.settings, "postgres")
    for _ in range(3):
        source.execute("SELECT pg_logical_emit_message(false, 'test', 'x')")
        source.archive_now()
    names = [one.name for one in segments_since(source.storage, backup.manifest)]
    key = wal.key(backup.manifest["system_identifier"], names[-2])
    source.storage.delete(source.settings.bucket_backups, key)
    assert missing_log(source.storage, source.settings.bucket_backups, backup.manifest) == names[-2]
