"""The secrets of an environment: every one that the settings know, made once, private."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from leitstand.embedded.credentials import GIVEN, LASTING, LEFT, NAMES, ensure_secrets, readable_password
from leitstand.embedded.environment import Environment
from leitstand.embedded.programs import settings_of
from leitstand.settings import Settings


def test_every_secret_setting_is_made_or_given() -> None:
    secret = {name for name, field in Settings.model_fields.items() if field.annotation is SecretStr}
    listed = [*NAMES, *LASTING, *GIVEN, *LEFT]
    assert secret == set(listed) and len(listed) == len(secret)


def test_secrets_are_made_once_and_are_their_owners_alone(tmp_path: Path) -> None:
    environment = Environment(tmp_path, 9000)
    assert ensure_secrets(environment) == [*NAMES, *LASTING]
    first = {name: environment.secret(name) for name in (*NAMES, *LASTING)}
    assert ensure_secrets(environment) == []
    assert {name: environment.secret(name) for name in first} == first
    assert len(set(first.values())) == len(first)
    assert all(len(value) >= 20 for value in first.values())
    assert environment.secrets_dir.stat().st_mode & 0o077 == 0
    assert all(path.stat().st_mode & 0o077 == 0 for path in environment.secrets_dir.iterdir())


def test_an_emptied_secret_is_made_again_and_an_open_one_closed(tmp_path: Path) -> None:
    environment = Environment(tmp_path, 9000)
    ensure_secrets(environment)
    emptied, opened = (environment.secrets_dir / f"leitstand_{name}" for name in NAMES[:2])
    emptied.write_text("")
    opened.chmod(0o644)
    kept = opened.read_text()
    assert ensure_secrets(environment) == [NAMES[0]]
    assert (opened.read_text(), opened.stat().st_mode & 0o777) == (kept, 0o600)


def test_the_settings_find_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        # What another test's environment left would go before the files.
        monkeypatch.delenv(f"LEITSTAND_{name.upper()}", raising=False)
    environment = Environment(tmp_path, 9000)
    ensure_secrets(environment)
    settings = settings_of(environment)
    found = {name: getattr(settings, name).get_secret_value() for name in NAMES}
    assert found == {name: environment.secret(name) for name in NAMES}


def test_passwords_for_people_differ_and_have_no_look_alikes() -> None:
    passwords = {readable_password() for _ in range(200)}
    assert len(passwords) == 200
    assert all(len(password) == 23 and not set(password) & set("lo01") for password in passwords)
