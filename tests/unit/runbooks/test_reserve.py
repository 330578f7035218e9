"""The reserve for the day on which the disk is full."""

from pathlib import Path

import pytest

from leitstand.runbooks import reserve
from leitstand.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path)


def test_it_really_takes_the_space_and_is_made_once(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reserve, "RESERVE_BYTES", 2_000_000)
    assert reserve.ensure(settings)
    made = (settings.data_dir / reserve.NAME).stat()
    assert made.st_blocks * 512 >= 2_000_000 and made.st_mode & 0o077 == 0
    assert reserve.ensure(settings)
    assert (settings.data_dir / reserve.NAME).stat().st_ino == made.st_ino


def test_it_stays_while_there_is_space_and_goes_when_there_is_none(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reserve, "RESERVE_BYTES", 2_000_000)
    reserve.ensure(settings)
    monkeypatch.setattr(reserve, "NEEDED_BYTES", 1)
    assert not reserve.give_up_if_full(settings) and (settings.data_dir / reserve.NAME).exists()
    monkeypatch.setattr(reserve, "NEEDED_BYTES", 2**62)
    assert reserve.give_up_if_full(settings) and not (settings.data_dir / reserve.NAME).exists()
    assert not reserve.give_up_if_full(settings), "there was none any more"


def test_none_is_made_where_it_would_take_much_of_what_is_left(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reserve, "RESERVE_BYTES", 2**60)
    assert not reserve.ensure(settings) and list(settings.data_dir.iterdir()) == []
