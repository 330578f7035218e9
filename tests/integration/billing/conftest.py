"""A file of plans with limits, in place of the one without."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from leitstand.limits import intake, room
from leitstand.settings import Settings, get_settings
from tests.stripe_double import KEY, SECRET, Double, running

PLANS = [
    {"name": "free", "title": "Free", "limits": {"members": 2, "items": 2, "published_companions": 1, "spaces": 1,
                                                   "events_a_month": 10, "storage_bytes": 100}},
    {"name": "small", "title": "Small", "price_cents": 1900, "limits": {"items": 4}, "stripe_price": "price_small"},
    {"name": "large", "title": "Large", "price_cents": 9900, "limits": {}, "stripe_price": "price_large"},
]  # fmt: skip


@pytest.fixture
def plans(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Three plans; workspaces begin on `free`."""
    path = tmp_path / "plans.json"
    path.write_text(json.dumps({"plans": PLANS}))
    monkeypatch.setenv("LEITSTAND_PLANS_FILE", str(path))
    get_settings.cache_clear()
    room._limits.clear()
    intake._rooms.clear()
    yield
    get_settings.cache_clear()


@pytest.fixture
def double(plans: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Double]:
    """Stripe's double, and settings that use it."""
    with running() as double:
        monkeypatch.setenv("LEITSTAND_STRIPE_API_URL", double.url)
        monkeypatch.setenv("LEITSTAND_STRIPE_SECRET_KEY", KEY)
        monkeypatch.setenv("LEITSTAND_STRIPE_WEBHOOK_SECRET", SECRET)
        get_settings.cache_clear()
        yield double
