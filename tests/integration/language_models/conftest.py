"""A server of models, and a breaker and waits that no other test knows of."""

from collections.abc import Iterator

import pytest

from leitstand.db.models.base import new_id
from leitstand.language_models import breaker, chat
from leitstand.language_models.endpoints import Target
from tests.model_server import ModelServer, models

__all__ = ["models"]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Waits between attempts are short, and no endpoint rests from another test."""
    monkeypatch.setattr(chat, "FIRST_WAIT_SECONDS", 0.01)
    monkeypatch.setattr(chat, "breaker", breaker.Breaker())
    yield


@pytest.fixture
def target(models: ModelServer) -> Target:
    """The server's small model: a million tokens of a question cost 0.15, those of an answer 0.60."""
    return Target(new_id(), "Models", models.base_url, models.key, "small", 150_000, 600_000)
