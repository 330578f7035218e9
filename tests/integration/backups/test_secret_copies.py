"""Secrets in two places: listed without values, backed up on change, verified, and put back with the offline key."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from leitstand.backups import keys, secret_copies, secret_opening, secret_restore
from leitstand.backups.secret_backups import back_up_secrets, changed_since, inventory, newest_backup
from leitstand.db.models import Backup
from leitstand.errors import Conflict, IntegrityFailed, NotFound, PreconditionFailed, Unavailable
from leitstand.settings import REPOSITORY, Settings
from tests.source import PASSWORD, Source

VALUE, LATER = "mail-password-of-a-file-5521", "another-mail-password-7788"
FILE = "secrets/leitstand_smtp_password"


@pytest.fixture
def backup(source: Source) -> Backup:
    write(source, VALUE)
    taken = back_up_secrets(source.engine, source.settings)
    assert taken is not None
    return taken


def write(source: Source, value: str) -> Path:
    path = source.settings.data_dir / FILE
    path.parent.mkdir(exist_ok=True)
    path.write_text(value)
    return path


def command(source: Source, *arguments: str, code: int = 0) -> str:
    argv = [sys.executable, "-m", "leitstand", *arguments]
    done = subprocess.run(
        argv, cwd=REPOSITORY, env=source.environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert VALUE not in done.stdout + done.stderr and PASSWORD not in done.stdout + done.stderr
    return done.stdout if code == 0 else done.stdout + done.stderr


def another_machine(source: Source, folder: Path, *, key: str = keys.OFFLINE) -> Settings:
    elsewhere = source.settings.model_copy(update={"data_dir": folder / "new"})
    keys.keys_dir(elsewhere).mkdir(parents=True)
    body = (keys.keys_dir(source.settings) / key).read_text()
    (keys.keys_dir(elsewhere) / "brought.agekey").write_text(body)
    return elsewhere


def test_the_list_says_what_for_and_whether_it_is_backed_up(source: Source, backup: Backup) -> None:
    items = {item.name: item for item in inventory(source.engine, source.settings)}
    mail = items["smtp_password"]
    assert mail.purpose == "Password of that user." and mail.place.endswith(FILE)
    assert len(mail.fingerprint) == 8 and mail.backed_up_at and mail.changed_at
    assert items["database_password"].place == "environment"
    write(source, LATER)
    changed = {item.name: item for item in inventory(source.engine, source.settings)}["smtp_password"]
    assert changed.fingerprint != mail.fingerprint and changed.backed_up_at == ""
    write(source, VALUE)
    listed = json.loads(command(source, "secrets", "list", "--json"))
    assert {one["name"] for one in listed["secrets"]} == set(items)
    assert [one["offline"] for one in listed["recipients"]] == [False, True]


def test_a_fingerprint_can_not_be_tried_out_without_its_key(source: Source, backup: Backup) -> None:
    text = json.dumps(backup.manifest)
    key = (keys.keys_dir(source.settings) / "fingerprint.key").read_text()
    assert key not in text and VALUE not in text
    assert (keys.keys_dir(source.settings) / "fingerprint.key").stat().st_mode & 0o777 == 0o600


def test_only_a_change_is_backed_up(source: Source, backup: Backup) -> None:
    assert back_up_secrets(source.engine, source.settings, only_changed=True) is None
    write(source, LATER)
    assert changed_since(source.settings, backup) == [FILE]
    taken = back_up_secrets(source.engine, source.settings, only_changed=True)
    assert taken is not None and changed_since(source.settings, taken) == []
    copy = secret_copies.copy_of(source.settings, str(taken.id))
    assert copy is not None
    copy.unlink()
    again = json.loads(command(source, "secrets", "backup", "--if-changed", "--json"))["backup"]
    assert again["id"] != str(taken.id), "a place that has lost its copy is filled again"


def test_both_places_hold_the_same_and_verify_says_what_changed_since(source: Source, backup: Backup) -> None:
    found = json.loads(command(source, "secrets", "verify", "--json"))
    assert found["ok"] and found["backup_id"] == str(backup.id) and len(found["places"]) == 2
    write(source, LATER)
    assert FILE in command(source, "secrets", "verify", code=1)


def test_a_second_place_that_can_not_be_written_fails_and_the_bucket_has_it(
    source: Source, tmp_path: Path
) -> None:
    write(source, VALUE)
    (tmp_path / "file").write_text("no folder")
    settings = source.settings.model_copy(update={"secrets_copy_dir": str(tmp_path / "file" / "copies")})
    with pytest.raises(Unavailable, match="not in the second place"):
        back_up_secrets(source.engine, settings)
    newest = newest_backup(source.engine)
    assert newest is not None and newest.manifest["copy"]["error"]
    own = keys.identities(source.settings)
    assert secret_opening.open_stored(settings, newest.manifest, own).secrets[FILE] == VALUE.encode()
    with pytest.raises(NotFound, match="second copy"):
        secret_opening.verify(settings)


def test_a_copy_that_lost_a_file_or_was_swapped_is_found(source: Source, backup: Backup) -> None:
    write(source, LATER)
    other = back_up_secrets(source.engine, source.settings)
    assert other is not None
    first, second = (secret_copies.copy_of(source.settings, str(one.id)) for one in (backup, other))
    assert first and second
    second.write_bytes(first.read_bytes())
    with pytest.raises(IntegrityFailed, match="two copies"):
        secret_opening.verify(source.settings)
    second.write_bytes(first.read_bytes()[:-40])
    with pytest.raises(IntegrityFailed, match="cut or changed"):
        secret_opening.verify(source.settings)


def test_recipients_that_all_lie_here_are_refused(source: Source, tmp_path: Path) -> None:
    elsewhere = source.settings.model_copy(update={"data_dir": tmp_path})
    listed = keys.ensure_keys(elsewhere).recipients
    keys.check_offline(elsewhere, listed)
    keys.keys_dir(elsewhere).joinpath(keys.OFFLINE).rename(keys.keys_dir(elsewhere) / "second.agekey")
    before = newest_backup(source.engine)
    with pytest.raises(PreconditionFailed, match="lies on this machine"):
        back_up_secrets(source.engine, elsewhere)
    after = newest_backup(source.engine)
    assert (before and before.id) == (after and after.id)
    single = elsewhere.model_copy(update={"backup_recipients": listed[1]})
    with pytest.raises(PreconditionFailed, match="at least 2"):
        back_up_secrets(source.engine, single)


def test_the_offline_key_brings_them_back_on_a_new_machine(
    source: Source, backup: Backup, tmp_path: Path
) -> None:
    elsewhere = another_machine(source, tmp_path)
    opened = secret_opening.open_stored(
        elsewhere, secret_opening.choose(elsewhere), secret_opening.identities(elsewhere)
    )
    agreed = secret_restore.plan(elsewhere, opened)
    assert {change.state for change in agreed.changes} == {secret_restore.MISSING}
    assert secret_restore.restore(elsewhere, opened, agreed) is None
    path = elsewhere.data_dir / FILE
    assert path.read_text() == VALUE and path.stat().st_mode & 0o777 == 0o600
    assert (elsewhere.secrets_dir / "leitstand_database_password").read_text() == PASSWORD
    assert set(keys.recipients_of(elsewhere)) == set(backup.manifest["recipients"])
    assert secret_restore.plan(elsewhere, opened).written == [], "a second time there is nothing to do"


def test_newer_files_are_only_replaced_when_that_is_said_and_are_kept_sealed(
    source: Source, backup: Backup
) -> None:
    path = write(source, LATER)
    assert (
        datetime.fromtimestamp(path.stat().st_mtime, UTC)
        > datetime.fromisoformat(backup.manifest["finished_at"])
        or os.utime(path, None) is None
    )
    dry = json.loads(command(source, "secrets", "restore", "--dry-run", "--json"))
    assert {one["name"]: one["state"] for one in dry["plan"]["changes"]}[FILE] == "newer here"
    assert path.read_text() == LATER
    said = command(source, "secrets", "restore", "--yes", "test", code=1)
    assert "after the backup" in said and path.read_text() == LATER
    assert "Not confirmed" in command(
        source, "restore", "secrets", "--replace-newer", "--yes", "prod", code=2
    )
    done: dict[str, Any] = json.loads(
        command(source, "restore", "secrets", "--replace-newer", "--yes", "test", "--json")
    )
    assert path.read_text() == VALUE
    aside = Path(done["replaced"])
    assert LATER.encode() not in aside.read_bytes() and aside.stat().st_mode & 0o777 == 0o600
    opened = secret_opening.open_copy(aside, keys.identities(source.settings))
    assert opened.secrets[FILE] == LATER.encode()


def test_a_plan_that_is_out_of_date_is_refused(source: Source, backup: Backup) -> None:
    own = keys.identities(source.settings)
    opened = secret_opening.open_stored(source.settings, secret_opening.choose(source.settings), own)
    agreed = secret_restore.plan(source.settings, opened)
    write(source, LATER)
    with pytest.raises(Conflict, match="plan"):
        secret_restore.restore(source.settings, opened, agreed, replace_newer=True)
    assert (source.settings.data_dir / FILE).read_text() == LATER


def test_names_that_lead_elsewhere_are_refused(source: Source, tmp_path: Path) -> None:
    """Whoever knows a public key can make an archive."""
    from leitstand.backups import secret_files
    from leitstand.backups.sealing import seal

    own = keys.ensure_keys(source.settings).recipients
    body = secret_files.packed(
        {"secrets/../../evil": b"x", "keys/fingerprint.key": b"k", "inventory.json": b"{}"}
    )
    forged = tmp_path / "forged.tar.zst.age"
    forged.write_bytes(seal(body, keys.parsed(own)))
    with pytest.raises(IntegrityFailed, match="outside"):
        secret_opening.open_copy(forged, keys.identities(source.settings))
