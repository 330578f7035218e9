"""Faults of pgBackRest as an engine: a server it does not know (3), a clone that archives (7), its key missing (19),
an archive that stands still and a store that does not answer (21)."""

import os
import shutil
import socket
import subprocess
from pathlib import Path
from typing import Any

import psutil
import pytest
from pydantic import SecretStr

from leitstand.backups import entries, wal
from leitstand.backups.archived_log import segments_since
from leitstand.backups.conditions import conditions
from leitstand.backups.engines.registry import chosen, engine_of
from leitstand.backups.operations import run_backup, verify_backup
from leitstand.backups.pgbackrest import program, repository
from leitstand.backups.restore import restore_postgres
from leitstand.backups.secret_backups import back_up_secrets
from leitstand.db.engine import make_engine, transaction
from leitstand.db.models import Backup
from leitstand.errors import PreconditionFailed, Unavailable
from leitstand.settings import Settings
from tests.pgbackrest import CIPHER_PASS, PASSWORD, PgBackRestRig, needs_pgbackrest, recovered

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), needs_pgbackrest]
OTHER_PASS = "another-key-of-the-repository-" + "91c2" * 8


@pytest.fixture(scope="module")
def full(pgbackrest_rig: PgBackRestRig) -> Backup:
    """A full backup, and a closed segment after it."""
    pgbackrest_rig.one("CREATE TABLE contract (name text PRIMARY KEY)")
    backup = pgbackrest_rig.back_up("full")
    pgbackrest_rig.add("after")
    pgbackrest_rig.archive_now()
    return backup


def call(command: str, folder: Path, **values: str) -> "subprocess.CompletedProcess[str]":
    """Call a server's command as the server does: in its data folder, by the shell."""
    for sign, value in values.items():
        command = command.replace(f"%{sign}", value)
    return subprocess.run(
        ["sh", "-c", command.replace("%%", "%")],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def clone_of(rig: PgBackRestRig, folder: Path) -> Path:
    """A data folder with the identity of the source, and nothing else."""
    assert rig.cluster is not None
    (folder / "global").mkdir(parents=True)
    (folder / "pg_wal").mkdir()
    shutil.copy(rig.cluster.data / "global" / "pg_control", folder / "global")
    return folder


# --- 3: a tool older than the server ---


def test_a_postgresql_that_it_does_not_know_is_refused(
    pgbackrest_rig: PgBackRestRig, settings: Settings
) -> None:
    newer = pgbackrest_rig.settings.model_copy(update={"database_url_override": settings.database_url})
    source = make_engine(newer)
    try:
        with pytest.raises(
            PreconditionFailed,
            match=r"pgBackRest stanza-create failed: .* is this version of PostgreSQL supported",
        ) as raised:
            run_backup(pgbackrest_rig.catalogue, newer, "postgres", source=source)
    finally:
        source.dispose()
    assert "postgres-tools" in raised.value.hint


# --- 7: a clone pushing into the source's archive ---


def test_what_a_clone_archives_never_replaces_what_is_there(
    pgbackrest_rig: PgBackRestRig, full: Backup, tmp_path: Path
) -> None:
    rig, clone = pgbackrest_rig, clone_of(pgbackrest_rig, tmp_path / "clone")
    segment = segments_since(rig.storage, full.manifest)[-1].name
    stored = {key: rig.storage.get_bytes(rig.bucket, key) for key in rig.stored() if segment in key}
    assert len(stored) == 1
    restore = engine_of(full.manifest | {"id": str(full.id), "engine": full.engine})
    manifest = entries.document(full)
    fetched = call(
        restore.restore_command(rig.settings, tmp_path / "access", manifest), clone, f=segment, p="pg_wal/it"
    )
    assert fetched.returncode == 0, fetched.stderr
    content = bytearray((clone / "pg_wal" / "it").read_bytes())
    content[-1] ^= 0xFF
    (clone / "pg_wal" / segment).write_bytes(content)
    pushed = call(chosen(rig.settings).archive_command(rig.settings), clone, p=f"pg_wal/{segment}")
    assert pushed.returncode not in (0, 127) and "different checksum" in pushed.stderr + pushed.stdout
    assert {key: rig.storage.get_bytes(rig.bucket, key) for key in rig.stored() if segment in key} == stored


def test_another_cluster_meets_an_archive_of_its_own(
    pgbackrest_rig: PgBackRestRig, full: Backup, tmp_path: Path
) -> None:
    rig, other = pgbackrest_rig, clone_of(pgbackrest_rig, tmp_path / "other")
    control = other / "global" / "pg_control"
    control.write_bytes(os.urandom(7) + b"\x01" + control.read_bytes()[8:])
    assert wal.system_identifier(other) != full.manifest["system_identifier"]
    before = rig.stored()
    (other / "pg_wal" / "000000010000000000000001").write_bytes(bytes(wal.SEGMENT_BYTES))
    pushed = call(
        chosen(rig.settings).archive_command(rig.settings), other, p="pg_wal/000000010000000000000001"
    )
    assert pushed.returncode != 0 and rig.stored() == before


def test_the_end_of_the_log_is_told_apart_from_a_store_that_is_down(
    pgbackrest_rig: PgBackRestRig, full: Backup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig, copy = pgbackrest_rig, clone_of(pgbackrest_rig, tmp_path / "copy")
    engine, manifest = chosen(rig.settings), entries.document(full)
    command = engine.restore_command(rig.settings, tmp_path / "access", manifest)
    assert call(command, copy, f="0000000100000FFF00000001", p="pg_wal/it").returncode == 1
    monkeypatch.setattr(repository, "IO_SECONDS", 1)
    nowhere = rig.settings.model_copy(update={"s3_endpoint": "https://localhost:9"})
    command = engine.restore_command(nowhere, tmp_path / "access", manifest)
    assert call(command, copy, f="0000000100000FFF00000001", p="pg_wal/it").returncode > 125


# --- 19: the key is missing ---


def test_without_its_key_a_backup_of_the_secrets_is_none(pgbackrest_rig: PgBackRestRig) -> None:
    lost = pgbackrest_rig.settings.model_copy(update={"pgbackrest_cipher_pass": SecretStr("")})
    with pytest.raises(PreconditionFailed, match="pgbackrest_cipher_pass would not bring"):
        back_up_secrets(pgbackrest_rig.catalogue, lost)


def test_a_key_that_is_not_backed_up_raises_a_condition(pgbackrest_rig: PgBackRestRig) -> None:
    rig = pgbackrest_rig
    assert "key-not-backed-up" in _conditions(rig)
    assert back_up_secrets(rig.catalogue, rig.settings) is not None
    assert "key-not-backed-up" not in _conditions(rig)


def _conditions(rig: PgBackRestRig) -> list[str]:
    with transaction(rig.catalogue) as session:
        return [one.name for one in conditions(session, rig.settings)]


def test_without_its_key_nothing_is_restored_and_the_way_out_is_told(
    pgbackrest_rig: PgBackRestRig, full: Backup, tmp_path: Path
) -> None:
    rig, manifest = pgbackrest_rig, entries.document(full)
    other = rig.settings.model_copy(update={"pgbackrest_cipher_pass": SecretStr(OTHER_PASS)})
    assert engine_of(manifest).opens(rig.settings, manifest) and not engine_of(manifest).opens(
        other, manifest
    )
    with pytest.raises(PreconditionFailed, match="is not here") as raised:
        restore_postgres(other, target=tmp_path / "target", manifest=manifest)
    assert "secrets restore" in raised.value.hint and not list(tmp_path.iterdir())
    short = rig.settings.model_copy(update={"pgbackrest_cipher_pass": SecretStr("short")})
    with pytest.raises(PreconditionFailed, match="too short"):
        rig.__class__.back_up(_with(rig, short))


@pytest.mark.long
def test_another_key_begins_another_repository_and_the_old_backups_stay_readable(
    pgbackrest_rig: PgBackRestRig, full: Backup, tmp_path: Path
) -> None:
    renewed = pgbackrest_rig.settings.model_copy(
        update={
            "pgbackrest_cipher_pass": SecretStr(OTHER_PASS),
            "pgbackrest_cipher_pass_previous": SecretStr(CIPHER_PASS),
        }
    )
    rig = _with(pgbackrest_rig, renewed)
    rig.set_archive_command(chosen(renewed).archive_command(renewed))
    try:
        taken = rig.back_up("incremental")
        assert (taken.manifest["level"], taken.parent_id) == ("full", None)
        assert "key of pgBackRest" in taken.manifest["level_reason"]
        assert taken.manifest["key_id"] != full.manifest["key_id"]
        assert verify_backup(rig.catalogue, renewed, taken.id).manifest["verification"]["ok"]
        restored = restore_postgres(renewed, target=tmp_path / "old", manifest=entries.document(full))
        with recovered(restored.target):
            pass
    finally:
        rig.set_archive_command(chosen(pgbackrest_rig.settings).archive_command(pgbackrest_rig.settings))


def _with(rig: PgBackRestRig, settings: Settings) -> PgBackRestRig:
    values: dict[str, Any] = {**vars(rig), "settings": settings}
    return PgBackRestRig(**values)


# --- 21: what stands still ---


def test_a_failing_archiver_ends_the_backup_and_the_next_is_whole(
    pgbackrest_rig: PgBackRestRig, full: Backup, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = pgbackrest_rig
    rig.set_archive_command("false # pgbackrest")
    try:
        monkeypatch.setattr(repository, "ARCHIVE_SECONDS", 2)
        with pytest.raises(Unavailable, match="pgBackRest backup failed") as raised:
            rig.back_up("full")
        assert "archive_command" in raised.value.hint
    finally:
        monkeypatch.undo()
        rig.set_archive_command(chosen(rig.settings).archive_command(rig.settings))
    mended = rig.back_up("full")
    assert verify_backup(rig.catalogue, rig.settings, mended.id).manifest["verification"]["ok"]
    labels = {key.split("/backup/leitstand/")[1].split("/")[0] for key in rig.stored() if "/bundle/" in key}
    assert mended.manifest["label"] in labels and len(labels) == _complete(rig), "what failed is cleared away"


def _complete(rig: PgBackRestRig) -> int:
    return len(entries.usable_entries(rig.storage, rig.bucket, "postgres"))


def test_a_store_that_never_answers_ends_it_in_time_and_leaves_no_process(
    pgbackrest_rig: PgBackRestRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(program, "STALLED_SECONDS", 2)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        settings = pgbackrest_rig.settings.model_copy(
            update={"s3_endpoint": f"https://localhost:{silent.getsockname()[1]}"}
        )
        where = repository.current(settings, "1")
        configuration = repository.write_configuration(where, settings.data_dir / "silent", program.version())
        with pytest.raises(Unavailable, match="stood still") as raised:
            program.run("info", configuration, "--output=json")
    assert not [
        one for one in psutil.process_iter(["cmdline"]) if str(configuration) in str(one.info["cmdline"])
    ]
    assert CIPHER_PASS not in f"{raised.value.message} {raised.value.hint}"


# --- no secret where others look ---


def test_no_secret_is_in_a_command_and_files_are_private(
    pgbackrest_rig: PgBackRestRig, full: Backup, tmp_path: Path
) -> None:
    rig, engine = pgbackrest_rig, chosen(pgbackrest_rig.settings)
    commands = [
        engine.archive_command(rig.settings),
        engine.restore_command(rig.settings, tmp_path / "access", entries.document(full)),
    ]
    for secret in (CIPHER_PASS, "test-secret", PASSWORD):
        assert not [command for command in commands if secret in command]
        assert secret not in str(entries.document(full))
    for folder in (rig.settings.data_dir / "pgbackrest" / "archive", tmp_path / "access"):
        assert folder.stat().st_mode & 0o077 == 0
        assert (folder / repository.FILE).stat().st_mode & 0o077 == 0
