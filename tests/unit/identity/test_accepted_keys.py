"""Signing keys around a rotation: today's signs, an earlier one is taken for as long as a session may last."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from leitstand.errors import Forbidden, PreconditionFailed
from leitstand.identity.access import Principal
from leitstand.identity.secret import accepted_keys, replaced_keys
from leitstand.identity.sessions import check_csrf, csrf_token
from leitstand.settings import get_settings

ANNA = Principal(uuid4(), uuid4(), "Anna", "anna@example.test", "owner", frozenset(), session_id=uuid4())


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    yield
    get_settings.cache_clear()


def use(monkeypatch: pytest.MonkeyPatch, key: str, previous: str = "") -> None:
    monkeypatch.setenv("LEITSTAND_SESSION_SECRET", key)
    monkeypatch.setenv("LEITSTAND_SESSION_SECRET_PREVIOUS", previous)
    get_settings.cache_clear()


def replaced(key: str, ago: timedelta) -> str:
    return f"{int((datetime.now(UTC) - ago).timestamp())}:{key}"


def test_an_open_page_goes_on_for_as_long_as_a_session(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, "old")
    page = csrf_token(ANNA)
    use(monkeypatch, "new", replaced("old", timedelta(hours=11)))
    assert csrf_token(ANNA) != page
    check_csrf(ANNA, page)
    check_csrf(ANNA, csrf_token(ANNA))
    for previous in (replaced("old", timedelta(hours=13)), ""):
        use(monkeypatch, "new", previous)
        with pytest.raises(Forbidden):
            check_csrf(ANNA, page)


def test_a_token_of_another_session_or_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, "new", replaced("old", timedelta(minutes=1)))
    other = Principal(uuid4(), uuid4(), "Ben", "ben@example.test", "owner", frozenset(), session_id=uuid4())
    for token in (csrf_token(other), "", None):
        with pytest.raises(Forbidden):
            check_csrf(ANNA, token)


def test_keys_are_taken_newest_first(monkeypatch: pytest.MonkeyPatch) -> None:
    old, older = replaced("old", timedelta(hours=1)), replaced("older", timedelta(days=30))
    use(monkeypatch, "new", f"{older}\n{old}")
    assert accepted_keys() == [b"new", b"old", b"older"]
    assert accepted_keys(within=timedelta(days=1)) == [b"new", b"old"]


@pytest.mark.parametrize("text", ["key", "now:key", "17:", ":key"])
def test_a_malformed_list_is_said(text: str) -> None:
    with pytest.raises(PreconditionFailed, match="malformed"):
        replaced_keys(text)
