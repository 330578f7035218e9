"""Links that end a subscription: only what we signed is one, and it says nothing else."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leitstand.db.models.base import new_id
from leitstand.errors import NotFound, PreconditionFailed
from leitstand.reports.unsubscribe_links import Link, read_token, token_of
from leitstand.settings import get_settings


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEITSTAND_SESSION_SECRET", "a-signing-key-for-links")
    get_settings.cache_clear()


LINK = Link(new_id(), new_id(), "weekly-insights")


def test_a_token_names_its_subscription() -> None:
    assert read_token(token_of(LINK)) == LINK


@given(st.text(max_size=500))
def test_what_we_did_not_sign_is_no_link(text: str) -> None:
    with pytest.raises(NotFound):
        read_token(text)


@pytest.mark.parametrize("place", range(0, 100, 7))
def test_a_changed_token_is_no_link(place: int) -> None:
    token = token_of(LINK)
    place = place % len(token)
    changed = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]
    with pytest.raises(NotFound):
        read_token(changed)


def test_a_signature_of_another_key_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    token = token_of(LINK)
    monkeypatch.setenv("LEITSTAND_SESSION_SECRET", "another-key")
    get_settings.cache_clear()
    with pytest.raises(NotFound):
        read_token(token)
    monkeypatch.setenv("LEITSTAND_SESSION_SECRET", "")
    get_settings.cache_clear()
    with pytest.raises(PreconditionFailed):
        token_of(LINK)


def test_a_token_has_no_name_or_address_of_a_person() -> None:
    body = base64.urlsafe_b64decode(token_of(LINK).partition(".")[0] + "==")
    assert body == LINK.workspace_id.bytes + LINK.person_id.bytes + b"weekly-insights"


def test_a_link_outlives_a_rotation_of_the_key_but_not_a_leak(monkeypatch: pytest.MonkeyPatch) -> None:
    token = token_of(LINK)
    monkeypatch.setenv("LEITSTAND_SESSION_SECRET", "the-next-key")
    monkeypatch.setenv("LEITSTAND_SESSION_SECRET_PREVIOUS", "1500000000:a-signing-key-for-links")
    get_settings.cache_clear()
    assert read_token(token) == LINK and token_of(LINK) != token
    monkeypatch.setenv("LEITSTAND_SESSION_SECRET_PREVIOUS", "")
    get_settings.cache_clear()
    with pytest.raises(NotFound):
        read_token(token)
