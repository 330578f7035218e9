"""What these tests share."""

from collections.abc import Iterator

import pytest

from leitstand.settings import get_settings


@pytest.fixture
def settings_only(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Settings of an installation that lists no private address."""
    monkeypatch.setenv("LEITSTAND_OUTGOING_PRIVATE_ADDRESSES_ALLOWED", "")
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()
