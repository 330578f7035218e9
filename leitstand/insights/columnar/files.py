"""The parts of copies that this machine has read."""

from collections.abc import Iterable
from pathlib import Path

from leitstand.errors import Unavailable
from leitstand.insights.copy.state import Part
from leitstand.settings import Settings
from leitstand.storage import nearby
from leitstand.storage.store import store_of


def folder_of(settings: Settings) -> Path:
    """Where they lie; made when it is missing."""
    folder = (settings.data_dir / "insights" / "parts").absolute()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


def fetch(settings: Settings, parts: Iterable[Part], folder: Path | None = None) -> list[Path]:
    """The files of these parts; those that are not here yet are downloaded, and checked against their SHA-256.

    Args:
        folder: where they lie; None: in this machine's folder.

    Raises:
        Unavailable, NotFound, IntegrityFailed: see `ObjectStorage`.
    """
    folder = folder or folder_of(settings)
    storage, most = store_of(settings), settings.insights_cache_mb * 1_000_000
    return [nearby.fetch(storage, settings.bucket_insights, folder, part, most=most) for part in parts]


def keep(settings: Settings, part: Part, path: Path) -> None:
    """Move a part's content here as if it had been fetched, so that nobody on this machine waits for its download."""
    most = settings.insights_cache_mb * 1_000_000
    if part.bytes <= most:
        folder = folder_of(settings)
        nearby.make_room(folder, most - part.bytes)
        path.replace(folder / f"{part.sha256}{nearby.SUFFIX}")


def check_size(settings: Settings, parts: Iterable[Iterable[Part]]) -> None:
    """Make sure that all these parts can lie here at one time.

    Raises:
        Unavailable: they are more than may lie here.
    """
    if sum(part.bytes for some in parts for part in some) > settings.insights_cache_mb * 1_000_000:
        raise Unavailable(
            "The copy is larger than what may lie here of it.", hint="Raise LEITSTAND_INSIGHTS_CACHE_MB."
        )
