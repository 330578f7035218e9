"""Sealed secrets: bound to their place, opened by today's key and earlier ones, and by no other."""

import pytest
from pydantic import SecretStr

from leitstand.errors import IntegrityFailed, PreconditionFailed
from leitstand.identity.sealing import is_current, open_sealed, seal
from leitstand.settings import Settings

PLACE = "one_time_code.secret:1"


def settings(key: str, previous: str = "") -> Settings:
    return Settings(secrets_key=SecretStr(key), secrets_key_previous=SecretStr(previous))


def test_what_is_sealed_opens_in_its_place_only() -> None:
    today = settings("a" * 64)
    sealed = seal("JBSWY3DPEHPK3PXP", place=PLACE, settings=today)
    assert b"JBSWY3" not in sealed
    assert open_sealed(sealed, place=PLACE, settings=today) == "JBSWY3DPEHPK3PXP"
    assert sealed != seal("JBSWY3DPEHPK3PXP", place=PLACE, settings=today)
    with pytest.raises(IntegrityFailed):
        open_sealed(sealed, place="one_time_code.secret:2", settings=today)


@pytest.mark.parametrize("at", [0, 2, 7, -1])
def test_what_was_changed_does_not_open(at: int) -> None:
    today = settings("a" * 64)
    sealed = bytearray(seal("secret", place=PLACE, settings=today))
    sealed[at] ^= 1
    with pytest.raises(IntegrityFailed) as refused:
        open_sealed(bytes(sealed), place=PLACE, settings=today)
    assert "a" * 8 not in str(refused.value)


def test_an_earlier_key_opens_and_seals_nothing() -> None:
    before = seal("secret", place=PLACE, settings=settings("a" * 64))
    rotated = settings("b" * 64, previous="c " + "a" * 64)
    assert open_sealed(before, place=PLACE, settings=rotated) == "secret"
    assert not is_current(before, settings=rotated)
    assert is_current(seal("secret", place=PLACE, settings=rotated), settings=rotated)
    with pytest.raises(IntegrityFailed):
        open_sealed(before, place=PLACE, settings=settings("b" * 64))


def test_nothing_is_sealed_without_a_key() -> None:
    with pytest.raises(PreconditionFailed, match="no key"):
        seal("secret", place=PLACE, settings=settings(""))
