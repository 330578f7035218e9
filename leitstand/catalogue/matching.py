"""How well a title matches what somebody typed, and what else makes it the one they mean."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

# What the whole title is worth, its beginning, the beginning of a word, the inside of one; what only resembles it is
# worth its likeness times the last.
WHOLE, START, WORD, INSIDE, ALIKE = 100.0, 80.0, 70.0, 50.0, 45.0
# One's own use counts for up to so much and halves in a week, a change for less and halves in two months.
USED, USED_HALF_LIFE = 25.0, timedelta(days=7)
CHANGED, CHANGED_HALF_LIFE = 5.0, timedelta(days=60)
FAVORITE = 10.0


@dataclass(frozen=True)
class Signals:
    """What is known of a title beside its text.

    Args:
        alike: the word similarity of title and query, 0 to 1.
        changed_at: when it was last changed.
        used_at: when whoever asks last used it; None: never.
        favorite: whether it is a favorite of theirs.
    """

    alike: float
    changed_at: datetime
    used_at: datetime | None = None
    favorite: bool = False


def score(title: str, q: str, signals: Signals, *, now: datetime | None = None) -> float:
    """How likely this is what is meant by `q`; higher is likelier."""
    now = now or datetime.now(UTC)
    found = _match(title.lower(), q.lower(), signals.alike)
    if signals.used_at:
        found += USED * _halved(now - signals.used_at, USED_HALF_LIFE)
    found += CHANGED * _halved(now - signals.changed_at, CHANGED_HALF_LIFE)
    return found + (FAVORITE if signals.favorite else 0.0)


def _match(title: str, q: str, alike: float) -> float:
    if title == q:
        return WHOLE
    if title.startswith(q):
        return START
    if f" {q}" in title:
        return WORD
    return INSIDE if q in title else ALIKE * alike


def _halved(age: timedelta, half_life: timedelta) -> float:
    return float(0.5 ** (max(age, timedelta()) / half_life))
