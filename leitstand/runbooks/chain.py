"""The chain of evidence: numbered links, each with the hash of the one before, in the database and in the store.

A link is stored before it is committed. Who appends looks first whether the store is ahead (a killed process, or a
database that was restored to an earlier time) and takes up what is there, so that the chain goes on and never forks.
"""

import hashlib
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from leitstand.db.models import EvidenceLink
from leitstand.errors import Conflict, IntegrityFailed, NotFound
from leitstand.runbooks.locking import evidence_lock
from leitstand.settings import Settings
from leitstand.storage.objects import ObjectStorage
from leitstand.telemetry.logs import get_logger
from leitstand.words import msg

PREFIX = "chain/"
RUN, SIGNATURE = "run", "signature"
JSON_TYPE = "application/json"
FORMAT = 2

log = get_logger("drills")


@dataclass(frozen=True)
class Link:
    """One link.

    Args:
        sequence: 1 for the first; without gaps.
        kind: run or signature.
        content: what it stands for: addresses and hashes of a run's evidence, or who signed what.
        previous: hash of the link before; empty for the first.
        sha256: its own, over all of the above.
    """

    sequence: int
    kind: str
    run_id: UUID
    at: datetime
    previous: str
    sha256: str = ""
    content: dict[str, Any] = field(default_factory=dict)

    def computed(self) -> str:
        """The hash that it must have; links of before the chain was in the store hash the notebook alone."""
        if self.content.get("format") == 1:
            text = f"{self.previous}\n{self.content.get('notebook_sha256')}\n"
        else:
            text = json.dumps(self._hashed(), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """The document in the store."""
        return {**self._hashed(), "sha256": self.sha256}

    @property
    def in_store(self) -> bool:
        """Whether the store has to have it."""
        return self.content.get("format") != 1

    def _hashed(self) -> dict[str, Any]:
        return {
            "sequence": self.sequence,
            "kind": self.kind,
            "run_id": str(self.run_id),
            "at": self.at.astimezone(UTC).isoformat(),
            "previous": self.previous,
            "content": self.content,
        }

    @classmethod
    def of(cls, values: dict[str, Any]) -> "Link":
        """From a document of the store.

        Raises:
            KeyError, ValueError, TypeError: it is none.
        """
        at, run_id = datetime.fromisoformat(values["at"]), UUID(values["run_id"])
        number, content = int(values["sequence"]), dict(values["content"])
        return cls(number, values["kind"], run_id, at, values["previous"], values["sha256"], content)

    @classmethod
    def of_row(cls, row: EvidenceLink) -> "Link":
        """From the database."""
        return cls(row.sequence, row.kind, row.run_id, row.at, row.previous_sha256, row.sha256, row.content)


def key_of(sequence: int) -> str:
    """Where a link lies in the bucket of evidence."""
    return f"{PREFIX}{sequence:010d}.json"


def links(session: Session) -> list[Link]:
    """Every link that the database has, in their order."""
    rows = session.scalars(select(EvidenceLink).order_by(EvidenceLink.sequence))
    return [Link.of_row(row) for row in rows]


def link_of_run(session: Session, run_id: UUID) -> Link | None:
    """The link of a run's evidence; None for one that was not archived."""
    wanted = select(EvidenceLink).where(EvidenceLink.run_id == run_id, EvidenceLink.kind == RUN)
    row = session.scalars(wanted).first()
    return Link.of_row(row) if row else None


def append(
    session: Session, settings: Settings, *, kind: str, run_id: UUID, content: dict[str, Any]
) -> tuple[Link, list[Link]]:
    """Add a link, and give it with those that the store had and the database had not; the caller commits.

    A run is linked once: where it already is, its link is given.

    Raises:
        IntegrityFailed: what the store has next does not follow what the database has last.
        Unavailable, Conflict, PreconditionFailed: as the store says; nothing was appended.
    """
    # Two that append at once would make two ends of one chain.
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended("evidence chain", 0))))
    storage, last, taken_up = ObjectStorage(settings), _last(session), list[Link]()
    while (found := _stored(storage, settings.bucket_evidence, last.sequence + 1 if last else 1)) is not None:
        _check_follows(found, last)
        _insert(session, found)
        log.warning("link of the chain of evidence taken up from the store", sequence=found.sequence)
        taken_up.append(found)
        last = found
    known = link_of_run(session, run_id) if kind == RUN else None
    if known is not None:
        return known, taken_up
    link = _made(last, kind, run_id, content)
    body = json.dumps(link.to_dict(), indent=1).encode()
    try:
        storage.put_bytes(
            settings.bucket_evidence,
            key_of(link.sequence),
            body,
            JSON_TYPE,
            only_new=True,
            lock=evidence_lock(storage, settings),
        )
    except Conflict:
        # Another chain's, or our own, whose receipt was cut off.
        if _stored(storage, settings.bucket_evidence, link.sequence) != link:
            raise
    _insert(session, link)
    return link, taken_up


def _made(last: Link | None, kind: str, run_id: UUID, content: dict[str, Any]) -> Link:
    number, previous = (last.sequence + 1, last.sha256) if last else (1, "")
    link = Link(number, kind, run_id, datetime.now(UTC), previous, "", {"format": FORMAT, **content})
    return Link(number, kind, run_id, link.at, previous, link.computed(), link.content)


def _last(session: Session) -> Link | None:
    row = session.scalars(select(EvidenceLink).order_by(EvidenceLink.sequence.desc()).limit(1)).first()
    return Link.of_row(row) if row else None


def _stored(storage: ObjectStorage, bucket: str, sequence: int) -> Link | None:
    try:
        body = storage.get_bytes(bucket, key_of(sequence))
    except NotFound:
        return None
    try:
        return Link.of(json.loads(body))
    except (KeyError, ValueError, TypeError) as error:
        raise IntegrityFailed(
            msg(
                "s3://{bucket}/{sequence} is no link of the chain of evidence.",
                bucket=bucket,
                sequence=key_of(sequence),
            ),
            hint="`leitstand runbook audit` shows all that is wrong with the chain.",
        ) from error


def _check_follows(found: Link, last: Link | None) -> None:
    expected = (last.sequence + 1, last.sha256) if last else (1, "")
    if (found.sequence, found.previous) != expected or found.computed() != found.sha256:
        raise IntegrityFailed(
            msg(
                "Link {sequence} of the chain of evidence in the store does not follow the last one of the database.",
                sequence=found.sequence,
            ),
            hint="`leitstand runbook audit` shows what differs; two environments may not share a bucket of evidence.",
        )


def _insert(session: Session, link: Link) -> None:
    session.add(
        EvidenceLink(
            sequence=link.sequence,
            kind=link.kind,
            run_id=link.run_id,
            at=link.at,
            content=link.content,
            previous_sha256=link.previous,
            sha256=link.sha256,
        )
    )
    session.flush()
