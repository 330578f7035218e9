"""Secrets: encrypted, named without their values, and opened again on another machine."""

import json
from pathlib import Path

import pytest

from leitstand.backups import keys
from leitstand.backups.operations import run_backup, verify_backup
from leitstand.backups.sealing import unseal
from leitstand.backups.secret_files import unpacked
from leitstand.db.models import Backup
from tests.source import PASSWORD, Source

VALUE = "a-value-of-a-secret-file-5521"


@pytest.fixture(scope="module")
def backup(source: Source) -> Backup:
    folder = source.settings.secrets_dir
    folder.mkdir(exist_ok=True)
    (folder / "leitstand_prefect_password").write_text(VALUE)
    (folder / ".leitstand_new.123.new").write_text("half written")
    return run_backup(source.engine, source.settings, "secrets")


def test_the_inventory_names_them_and_no_value(source: Source, backup: Backup) -> None:
    assert {
        "secrets/leitstand_prefect_password",
        "secrets/leitstand_database_password",
        "secrets/leitstand_session_secret",
    } <= set(backup.manifest["inventory"])
    assert not any(".new" in name for name in backup.manifest["inventory"])
    text = json.dumps(backup.manifest)
    assert VALUE not in text and PASSWORD not in text


def test_another_machine_opens_them_with_the_offline_key(
    source: Source, backup: Backup, tmp_path: Path
) -> None:
    elsewhere = source.settings.model_copy(update={"data_dir": tmp_path})
    keys.keys_dir(elsewhere).mkdir()
    (keys.keys_dir(elsewhere) / "offline.agekey").write_text(
        (keys.keys_dir(source.settings) / keys.OFFLINE).read_text()
    )
    (part,) = backup.manifest["parts"]
    sealed = source.storage.get_bytes(elsewhere.bucket_backups, part["key"])
    files = unpacked(unseal(sealed, keys.identities(elsewhere), most=10_000_000))
    assert files["secrets/leitstand_prefect_password"] == VALUE.encode()
    assert files["secrets/leitstand_database_password"] == PASSWORD.encode()
    assert b"age1" in files["keys/recipients.txt"]
    assert not any(b"AGE-SECRET-KEY" in content for content in files.values())


def test_it_verifies(source: Source, backup: Backup) -> None:
    assert verify_backup(source.engine, source.settings, backup.id).manifest["verification"]["ok"]
