"""Sign a run off: who looked at its evidence, when, and what they say about it, as a link of the chain."""

import json
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy.orm import Session

from leitstand.errors import Conflict, IntegrityFailed, InvalidInput
from leitstand.runbooks.archiving import append_link
from leitstand.runbooks.chain import JSON_TYPE, SIGNATURE, Link
from leitstand.runbooks.locking import evidence_lock
from leitstand.runbooks.redaction import Redactor
from leitstand.runbooks.runs import RunView, view
from leitstand.settings import Settings
from leitstand.storage.objects import ObjectStorage
from leitstand.words import msg

LONGEST_NOTE = 2_000


def sign(
    session: Session,
    settings: Settings,
    run_id: UUID | str,
    *,
    signer: str,
    note: str,
    alone: bool = False,
) -> Link:
    """Sign a run; the caller commits. The signature lies in the catalogue, in the chain and beside the evidence.

    Args:
        signer: who signs.
        note: what they say: that all is well, or what is left to do.
        alone: there is nobody else who could, so the one who ran it signs; the signature says so for good.

    Raises:
        NotFound: there is no such run.
        InvalidInput: nobody signs, or without a word.
        Conflict: it has no archived evidence, the same person signed it already, or ran it and is not alone.
        Unavailable, PreconditionFailed, IntegrityFailed: as the store and the chain say; nothing was signed.
    """
    text = _checked(settings, signer, note)
    run = view(session, run_id)
    evidence = _evidence_of(run)
    _check_signer(run, signer, alone=alone)
    content = {
        "signer": signer,
        "signed_at": datetime.now(UTC).isoformat(),
        "note": text,
        "ran_by": run.row.requested_by or "the schedule",
        "four_eyes": signer != run.row.requested_by,
        "run_sha256": evidence.sha256,
    }
    link = append_link(session, settings, kind=SIGNATURE, run_id=run.row.id, content=content)
    _store_beside(settings, evidence, link)
    return link


def _checked(settings: Settings, signer: str, note: str) -> str:
    """The note as it is kept."""
    text: str = Redactor(settings).cleaned(note.strip())
    if not signer or not text or len(text) > LONGEST_NOTE:
        raise InvalidInput(
            msg(
                "A signature needs a signer and a note of 1 to {longest_note:,} characters.",
                longest_note=LONGEST_NOTE,
            ),
            hint="Say what you looked at and what is left to do.",
        )
    return text


def _evidence_of(run: RunView) -> Link:
    """What is signed: the link of the run's archived evidence."""
    if run.link is None:
        raise Conflict(
            msg(
                "Run {id} is {status} and has no archived evidence to sign.", id=run.row.id, status=run.status
            ),
            hint="Wait until it has ended, resume it, or take up what waits: `leitstand runbook adopt`.",
        )
    if "notebook" not in run.link.content:
        raise IntegrityFailed(
            msg("What the chain says of run {id} was changed: there is nothing to sign.", id=run.row.id),
            hint="`leitstand runbook audit` says what was changed.",
        )
    return run.link


def _check_signer(run: RunView, signer: str, *, alone: bool) -> None:
    """Two people, each of them once."""
    if any(link.content.get("signer") == signer for link in run.signatures):
        raise Conflict(msg("{signer} has signed run {id} already.", signer=signer, id=run.row.id))
    if signer == run.row.requested_by and not alone:
        raise Conflict(
            msg("{signer} ran this; somebody else signs it.", signer=signer),
            hint="Where there is nobody else, say so: --alone, which the signature keeps.",
        )


def _store_beside(settings: Settings, run: Link, link: Link) -> None:
    """The same document beside the evidence, where whoever opens that looks first."""
    storage = ObjectStorage(settings)
    folder = run.content["notebook"].removeprefix(f"s3://{settings.bucket_evidence}/").rpartition("/")[0]
    storage.put_bytes(
        settings.bucket_evidence,
        f"{folder}/signature-{link.sequence:010d}.json",
        json.dumps(link.to_dict(), indent=1).encode(),
        JSON_TYPE,
        lock=evidence_lock(storage, settings),
    )
