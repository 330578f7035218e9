"""The object store of the copies: one client a process, because making one costs more than a small part's way."""

from functools import lru_cache

from leitstand.settings import Settings
from leitstand.storage.objects import ObjectStorage


@lru_cache(maxsize=4)
def store_of(settings: Settings) -> ObjectStorage:
    """The store of these settings."""
    return ObjectStorage(settings)
