"""Requests that name a key are done once: the answer is kept in the transaction of the work, and given again."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from leitstand.db.models import IdempotencyKey
from leitstand.errors import Conflict, InvalidInput
from leitstand.identity.access import Principal
from leitstand.words import msg

KEEP = timedelta(hours=24)
LONGEST_KEY = 255
RETRY_SECONDS = 1


@dataclass(frozen=True)
class Claim:
    """A key that this request holds until its transaction ends."""

    workspace_id: UUID
    principal_id: UUID
    key: str
    fingerprint: bytes


@dataclass(frozen=True)
class Kept:
    """An answer that was given before."""

    status: int
    headers: dict[str, str]
    body: bytes


def fingerprint(*parts: bytes) -> bytes:
    """What tells a request from another one: a hash of its method, its address and its body."""
    whole = hashlib.sha256()
    for part in parts:
        whole.update(len(part).to_bytes(8))
        whole.update(part)
    return whole.digest()


def claim(session: Session, *, principal: Principal, key: str, fingerprint: bytes) -> Claim | Kept:
    """Hold the key until the transaction ends, or give the answer that was kept under it.

    A process that is killed lets go of the key with its transaction: nothing was done, nothing was kept.

    Raises:
        InvalidInput: the key is empty, too long or not of visible characters, or was used for another request.
        Conflict: a request with this key is running.
    """
    if not 0 < len(key) <= LONGEST_KEY or not all("!" <= letter <= "~" for letter in key):
        raise InvalidInput(
            msg("An Idempotency-Key is 1 to {longest_key} visible ASCII characters.", longest_key=LONGEST_KEY)
        )
    whose = principal.token_id or principal.person_id
    if whose is None:
        raise InvalidInput("Only a person or an API token can use an Idempotency-Key.")
    mine = Claim(principal.workspace_id, whose, key, fingerprint)
    name = f"idempotency:{mine.workspace_id}:{whose}:{key}"
    if not session.scalar(select(func.pg_try_advisory_xact_lock(func.hashtextextended(name, 3)))):
        raise Conflict(
            "A request with this Idempotency-Key is still running.",
            hint="Wait and send it again: you get its answer.",
            details={"retry_after": RETRY_SECONDS},
        )
    return _kept(session, mine) or mine


def keep(session: Session, claim: Claim, answer: Kept) -> None:
    """Keep the answer, in the transaction that does the work."""
    whole = {
        "workspace_id": claim.workspace_id, "principal_id": claim.principal_id, "key": claim.key,
        "fingerprint": claim.fingerprint, "status": answer.status, "headers": answer.headers,
        "body": answer.body, "created_at": datetime.now(UTC),
    }  # fmt: skip
    # What is there already is older than a day.
    statement = insert(IdempotencyKey).values(whole)
    keys = ["workspace_id", "principal_id", "key"]
    session.execute(statement.on_conflict_do_update(index_elements=keys, set_=whole))


def purge(session: Session) -> int:
    """Delete the answers that are older than a day; how many there were."""
    old = delete(IdempotencyKey).where(IdempotencyKey.created_at <= datetime.now(UTC) - KEEP)
    return len(session.execute(old.returning(IdempotencyKey.key)).all())


def _kept(session: Session, claim: Claim) -> Kept | None:
    row = session.scalar(
        select(IdempotencyKey).where(
            IdempotencyKey.workspace_id == claim.workspace_id,
            IdempotencyKey.principal_id == claim.principal_id,
            IdempotencyKey.key == claim.key,
            IdempotencyKey.created_at > datetime.now(UTC) - KEEP,
        )
    )
    if row is None:
        return None
    if row.fingerprint != claim.fingerprint:
        raise InvalidInput(
            "This Idempotency-Key was used for another request.",
            hint="Send the same request again, or choose a new key.",
        )
    return Kept(row.status, row.headers, row.body)
