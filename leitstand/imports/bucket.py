"""A bucket whose requests go through the one guard for addresses that people enter."""

from collections.abc import Mapping

from leitstand.db.models import S3Import
from leitstand.identity.sealed import place_of_import
from leitstand.identity.sealing import open_sealed
from leitstand.knowledge.documents import MAX_BYTES
from leitstand.outgoing.fetching import fetch
from leitstand.storage.foreign import ForeignBucket, Place, Reply

# A document of the largest size from a store that is not near; a page of the listing is smaller.
SECONDS, TEST_SECONDS = 120.0, 10.0


def bucket_of(found: S3Import, *, seconds: float = SECONDS) -> ForeignBucket:
    """The bucket of an import; each request takes at most `seconds` and 20 MB.

    Raises:
        IntegrityFailed: its key does not open.
    """
    secret = open_sealed(found.secret, place=place_of_import(found.id))
    place = Place(found.endpoint, found.region, found.bucket, found.prefix, found.access_key, secret)

    def send(method: str, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        answer = fetch(
            url, method=method, headers=headers, body=body, seconds=seconds, most_bytes=MAX_BYTES, redirects=0
        )
        return Reply(answer.status, answer.headers, answer.body)

    return ForeignBucket(place, send)
