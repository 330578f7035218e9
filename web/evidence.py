"""The archived evidence of drills, out of object storage."""

from functools import lru_cache
from uuid import UUID

from sqlalchemy.orm import Session

from leitstand.db.models import Drill
from leitstand.errors import NotFound
from leitstand.identity.access import Principal, require
from leitstand.settings import get_settings
from leitstand.storage.objects import ObjectStorage

SCHEME = "s3://"
EVIDENCE_CSP = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; frame-ancestors 'self'"


@lru_cache(maxsize=1)
def _storage() -> ObjectStorage:
    return ObjectStorage(get_settings())


def drill_of(session: Session, *, principal: Principal, drill_id: UUID) -> Drill:
    """One drill.

    Raises:
        Forbidden: without `operations:read`.
        NotFound: there is none.
    """
    require(principal, "operations:read")
    drill = session.get(Drill, drill_id)
    if drill is None:
        raise NotFound("There is no such drill.", hint="The operations page lists the drills.")
    return drill


def evidence(address: str) -> bytes:
    """What is archived at `s3://bucket/key`, its SHA-256 checked; of the evidence bucket only.

    Raises:
        NotFound: nothing was archived.
    """
    bucket, _, key = address.removeprefix(SCHEME).partition("/")
    if not address.startswith(SCHEME) or bucket != get_settings().bucket_evidence or not key:
        raise NotFound(
            "There is no evidence of this run.",
            hint="One that runs, or was killed, has not archived any yet.",
        )
    return _storage().get_bytes(bucket, key)
