"""One thing that is wrong, as every part of `conditions` tells it."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime


@dataclass(frozen=True)
class Condition:
    """One thing that is wrong: its name, a sentence, and the way out."""

    name: str
    says: str
    hint: str

    def to_dict(self) -> dict[str, str]:
        """JSON values."""
        return asdict(self)


def written(at: datetime) -> str:
    """An instant as conditions name it."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
