"""What pgBackRest is told, and what its words mean; without pgBackRest."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from pydantic import SecretStr

from leitstand.backups.engines.pgbackrest import PgBackRest
from leitstand.backups.pgbackrest import program, repository, taking
from leitstand.errors import Conflict, IntegrityFailed, LeitstandError, PreconditionFailed, Unavailable
from leitstand.settings import Settings

KEY, OTHER = "k" * 40, "o" * 40
SEGMENT = "0000000100000002000000FE"


def settings_of(**changes: object) -> Settings:
    values = {
        "s3_endpoint": "https://store.example:8333", "s3_access_key": SecretStr("the-access"),
        "s3_secret_key": SecretStr("the-secret"), "pgbackrest_cipher_pass": SecretStr(KEY),
    }  # fmt: skip
    return Settings(**{**values, **changes})  # type: ignore[arg-type]


def configured(tmp_path: Path, version: repository.Version = (2, 45), **changes: object) -> dict[str, str]:
    where = repository.current(settings_of(**changes), "71")
    lines = repository.configuration(where, tmp_path, version).splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


def test_it_encrypts_never_expires_and_lies_under_cluster_and_key(tmp_path: Path) -> None:
    found = configured(tmp_path)
    assert (found["repo1-cipher-type"], found["repo1-cipher-pass"]) == ("aes-256-cbc", KEY)
    assert found["repo1-retention-full"] == str(repository.NEVER) and found["expire-auto"] == "n"
    assert found["repo1-path"] == f"/postgres/71/pgbackrest/{repository.key_id(KEY)}"
    assert found["repo1-s3-uri-style"] == "path" and found["repo1-s3-endpoint"] == "store.example:8333"
    assert "repo1-storage-ca-file" not in found and "repo1-block" not in found
    newer = configured(tmp_path, (2, 46), s3_ca_file="/etc/authority.pem")
    assert (newer["repo1-block"], newer["repo1-storage-ca-file"]) == ("y", "/etc/authority.pem")


def test_a_store_without_tls_needs_a_newer_one(tmp_path: Path) -> None:
    with pytest.raises(PreconditionFailed, match="over TLS only") as raised:
        configured(tmp_path, (2, 57), s3_endpoint="http://127.0.0.1:8410")
    assert "2.58" in raised.value.hint
    newer = configured(tmp_path, (2, 58), s3_endpoint="http://127.0.0.1:8410")
    assert newer["repo1-s3-endpoint"] == "http://127.0.0.1:8410"
    with pytest.raises(PreconditionFailed, match="too old"):
        configured(tmp_path, (2, 40))


def test_the_file_is_private(tmp_path: Path) -> None:
    path = repository.write_configuration(
        repository.current(settings_of(), "71"), tmp_path / "folder", (2, 45)
    )
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)


@pytest.mark.parametrize("value", ["", "tiny-key", f"{KEY} {OTHER}", f"{KEY}\n{OTHER}"])
def test_a_key_that_is_none_is_refused(value: str) -> None:
    with pytest.raises(PreconditionFailed, match="no key to encrypt with") as raised:
        repository.current(settings_of(pgbackrest_cipher_pass=SecretStr(value)), "71")
    assert not value or value not in f"{raised.value.message} {raised.value.hint}"


def test_a_setting_can_not_add_a_line_to_the_file(tmp_path: Path) -> None:
    with pytest.raises(PreconditionFailed, match="more than one line"):
        configured(tmp_path, s3_region="here\nrepo1-cipher-type=none")


def test_the_key_of_a_backup_is_found_among_the_earlier_ones() -> None:
    manifest = {"id": "b", "system_identifier": "71", "key_id": repository.key_id(OTHER)}
    assert not repository.has_key(settings_of(), manifest)
    both = settings_of(pgbackrest_cipher_pass_previous=SecretStr(f"{'x' * 40} {OTHER}"))
    assert repository.has_key(both, manifest) and repository.of(both, manifest).cipher_pass == OTHER


@pytest.mark.parametrize(
    ("file", "name"),
    [
        (f"{SEGMENT}-{'a' * 40}.zst", SEGMENT),
        (f"{SEGMENT}-{'a' * 40}", SEGMENT),
        (f"{SEGMENT}.partial-{'a' * 40}.zst", f"{SEGMENT}.partial"),
        (f"{SEGMENT}.00000028.backup", f"{SEGMENT}.00000028.backup"),
        ("00000002.history", "00000002.history"),
        ("archive.info", ""),
        (f"{SEGMENT}.zst.age", ""),
    ],
)
def test_files_of_the_log_are_known_by_their_names(file: str, name: str) -> None:
    assert (
        repository.log_file(f"postgres/71/pgbackrest/k/archive/leitstand/15-1/0000000100000002/{file}")
        == name
    )
    assert repository.log_file(f"postgres/71/pgbackrest/k/backup/leitstand/{file}") == ""


@pytest.mark.parametrize(
    ("said", "kind", "words"),
    [
        ("ERROR: [026]: raised from local-1 protocol: error restoring\n       [ChecksumError] again\n", IntegrityFailed, "again"),
        ("P00   INFO: begin\nERROR: [049]: unable to connect to 'h:1'\n", Unavailable, "unable to connect"),
        ("ERROR: [050]: unable to acquire lock\nP00 INFO: end\n", Conflict, "unable to acquire lock"),
        (
            "WARN: unable to check pg1: [VersionNotSupportedError] unexpected control version\nERROR: [056]: no primary\n",
            PreconditionFailed,
            "unexpected control version",
        ),
        ("killed", PreconditionFailed, "killed"),
    ],
)  # fmt: skip
def test_what_it_says_becomes_an_error_with_a_way_out(
    said: str, kind: type[LeitstandError], words: str
) -> None:
    error = program.failure("backup", 1, said).as_error()
    assert type(error) is kind and words in error.message and error.hint


class Store:
    """What a store has, by key."""

    def __init__(self, *keys: str) -> None:
        self.keys = list(keys)

    def list(self, _: str, prefix: str) -> list[SimpleNamespace]:
        return [SimpleNamespace(key=key, bytes=10) for key in self.keys if key.startswith(prefix)]

    def delete(self, _: str, key: str) -> None:
        self.keys.remove(key)


@pytest.mark.parametrize("gone", ["key", "program"])
def test_a_backup_can_be_removed_when_its_key_or_the_program_is_gone(
    gone: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or retention would stop for good."""
    key_id = repository.key_id(OTHER if gone == "key" else KEY)
    full, label = "20260101-000000F", "20260101-000000F_20260102-000000I"
    place = f"postgres/71/pgbackrest/{key_id}/backup/leitstand"
    stays = f"{place}/{full}/backup.manifest"
    store = Store(
        f"{place}/{label}/backup.manifest", f"{place}/backup.history/2026/{label}.manifest.gz", stays
    )
    for module in (repository, taking):
        monkeypatch.setattr(module, "ObjectStorage", lambda _: store)
    monkeypatch.setattr(program.shutil, "which", lambda _: None)
    manifest = {"id": "b", "system_identifier": "71", "key_id": key_id, "label": label}
    assert PgBackRest().remove(settings_of(data_dir=tmp_path), manifest) == 10
    assert store.keys == [stays]
