"""The object store of a process: one client, because making one costs more than a small object's way."""

from functools import lru_cache

from leitstand.settings import Settings
from leitstand.storage.objects import ObjectStorage


@lru_cache(maxsize=4)
def store_of(settings: Settings) -> ObjectStorage:
    """The store of these settings."""
    return ObjectStorage(settings)
