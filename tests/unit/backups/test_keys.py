"""The age keys: made once, private, never replaced; at least two recipients."""

import stat
from pathlib import Path

import pytest
from pyrage import x25519

from leitstand.backups import keys
from leitstand.backups.sealing import seal, unseal
from leitstand.errors import PreconditionFailed
from leitstand.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path, backup_recipients="")


def test_keys_are_made_once(settings: Settings) -> None:
    first, second = keys.ensure_keys(settings), keys.ensure_keys(settings)
    assert first == second
    assert len(first.recipients) == 2
    assert first.offline_key_here == settings.data_dir / "keys" / keys.OFFLINE
    assert "Move this file" in first.offline_key_here.read_text()


def test_nobody_else_may_read_them(settings: Settings) -> None:
    keys.ensure_keys(settings)
    folder = keys.keys_dir(settings)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for path in folder.glob("*key"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_either_key_alone_opens_a_backup(settings: Settings, tmp_path: Path) -> None:
    made = keys.ensure_keys(settings)
    sealed = seal(b"content", keys.parsed(made.recipients))
    for name in (keys.OPERATIONAL, keys.OFFLINE):
        other = Settings(data_dir=tmp_path / f"machine-{name}", backup_recipients="")
        keys.keys_dir(other).mkdir(parents=True)
        (keys.keys_dir(other) / "found.agekey").write_text((keys.keys_dir(settings) / name).read_text())
        assert unseal(sealed, keys.identities(other), most=100) == b"content"


def test_the_offline_key_moves_away_and_stays_a_recipient(settings: Settings) -> None:
    before = keys.ensure_keys(settings)
    assert before.offline_key_here
    before.offline_key_here.unlink()
    after = keys.ensure_keys(settings)
    assert (after.recipients, after.offline_key_here) == (before.recipients, None)


def test_a_lost_operational_key_is_made_anew_beside_the_old_recipients(settings: Settings) -> None:
    before = keys.ensure_keys(settings)
    (keys.keys_dir(settings) / keys.OPERATIONAL).unlink()
    after = keys.ensure_keys(settings)
    assert set(before.recipients) < set(after.recipients)
    assert unseal(seal(b"x", keys.parsed(after.recipients)), keys.identities(settings), most=9) == b"x"


def test_recipients_of_the_settings_replace_those_of_the_folder(tmp_path: Path) -> None:
    given = [str(x25519.Identity.generate().to_public()) for _ in range(2)]
    settings = Settings(data_dir=tmp_path, backup_recipients=" ".join(given))
    assert keys.ensure_keys(settings).recipients == tuple(given)
    assert list(keys.keys_dir(settings).glob("*.agekey")) == []


@pytest.mark.parametrize("count", [1, 0])
def test_one_recipient_is_not_enough(tmp_path: Path, count: int) -> None:
    key = str(x25519.Identity.generate().to_public())
    settings = Settings(
        data_dir=tmp_path, backup_recipients=f"{key} {key}" if count else "nonsense nonsense2"
    )
    with pytest.raises(PreconditionFailed):
        keys.ensure_keys(settings)


def test_without_a_key_the_way_out_is_said(settings: Settings) -> None:
    with pytest.raises(PreconditionFailed, match="No key") as caught:
        keys.identities(settings)
    assert "agekey" in caught.value.hint
