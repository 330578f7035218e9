"""Verify the whole chain of evidence: links, rows and what is stored, each against the others.

What one place lost or changed the other still has. Only who can write to both, and to every version in the store,
could take the newest links away without a trace; a lock on the bucket's objects is what stands in the way of that.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from leitstand.backups.places import RECORD
from leitstand.db.models import Drill
from leitstand.errors import IntegrityFailed, NotFound
from leitstand.runbooks import chain
from leitstand.runbooks.chain import RUN, Link
from leitstand.runbooks.library import DRILLS, RUNBOOKS
from leitstand.runbooks.pending import notes
from leitstand.runbooks.records import FAILED, PASSED
from leitstand.settings import Settings
from leitstand.storage.objects import ObjectStorage

CHANGED, MISSING, REORDERED, INSERTED = "changed", "missing", "reordered", "inserted"
PARTS = ("notebook", "html", "record")


@dataclass(frozen=True)
class Problem:
    """One thing that is not as it was signed.

    Args:
        kind: changed, missing, reordered or inserted.
        sequence: of the link; 0 for what has none.
        run_id: empty where that is not known.
        says: what and where, in words.
    """

    kind: str
    sequence: int
    run_id: str
    says: str

    def __str__(self) -> str:
        where = f"link {self.sequence}, " if self.sequence else ""
        return f"{self.kind:<9} {where}run {self.run_id or 'unknown'}: {self.says}"


@dataclass(frozen=True)
class Audit:
    """What was verified and what was found; `waiting` counts runs of this machine that are not linked yet."""

    links: int
    waiting: int
    problems: list[Problem]

    @property
    def ok(self) -> bool:
        return not self.problems

    def to_dict(self) -> dict[str, Any]:
        """The `--json` document."""
        problems = [asdict(problem) for problem in self.problems]
        return {"ok": self.ok, "links": self.links, "waiting": self.waiting, "problems": problems}


def audit(session: Session, settings: Settings) -> Audit:
    """Verify everything, reading all of the evidence.

    Raises:
        Unavailable, PreconditionFailed: the store does not answer.
    """
    found, waiting = chain.links(session), notes(settings)
    storage = _Stored(settings)
    problems = [
        *_order(found),
        *_rows(session, found, storage),
        *storage.compared(found),
        *storage.unlinked(found, {note.prefix for note in waiting}),
    ]
    return Audit(len(found), len(waiting), problems)


def _order(found: list[Link]) -> Iterator[Problem]:
    """The links of the database among themselves."""
    expected, previous = 1, ""
    for link in found:
        if link.sequence != expected:
            yield Problem(MISSING, expected, "", f"the database has no link {expected}")
        elif link.previous != previous and link.computed() == link.sha256:
            yield _problem(INSERTED, link, "it does not follow the link before it")
        if link.computed() != link.sha256:
            moved = _number_that_fits(link, len(found))
            kind, says = (REORDERED, f"it was link {moved}") if moved else (CHANGED, "its hash does not fit")
            yield _problem(kind, link, f"{says} (database)")
        expected, previous = link.sequence + 1, link.sha256


def _number_that_fits(link: Link, count: int) -> int:
    """The place in the chain for which the link's own hash is right; 0 where there is none."""
    numbers = range(1, count + 2)
    return next((n for n in numbers if replace(link, sequence=n).computed() == link.sha256), 0)


def _rows(session: Session, found: list[Link], storage: "_Stored") -> Iterator[Problem]:
    """Each link of a run against the row of the run, and the rows against the links."""
    by_hash = {link.sha256: link.run_id for link in found}
    rows = {row.id: row for row in session.scalars(select(Drill).where(Drill.chain_sha256 != ""))}
    for link in found:
        if link.kind != RUN:
            yield from _signature(link, by_hash)
            continue
        row = rows.pop(link.run_id, None)
        if row is None:
            yield _problem(MISSING, link, "its row is gone from the database")
        elif (row.chain_sha256, row.notebook_sha256, row.notebook) != (
            link.sha256,
            link.content.get("notebook_sha256"),
            link.content.get("notebook"),
        ):
            yield _problem(CHANGED, link, "its row names other evidence than its link")
        elif (record := storage.record(link)) is not None and _says(row) != _recorded(record):
            yield _problem(CHANGED, link, "its row tells another result than its record")
    for row in rows.values():
        yield Problem(INSERTED, 0, str(row.id), "its row has no link in the chain")


def _signature(link: Link, by_hash: dict[str, UUID]) -> Iterator[Problem]:
    if by_hash.get(link.content.get("run_sha256", "")) != link.run_id:
        yield _problem(CHANGED, link, "the run that it signs is not in the chain")


def _says(row: Drill) -> tuple[object, ...]:
    checks = row.figures.get("checks", [])
    return row.kind, row.status, row.error, row.rpo_seconds, row.rto_seconds, row.requested_by, checks


def _recorded(record: dict[str, Any]) -> tuple[object, ...]:
    status, figures = FAILED if record["error"] else PASSED, record["figures"]
    measured = figures.get("rpo_seconds"), figures.get("rto_seconds")
    return record["name"], status, record["error"], *measured, record["requested_by"], record["checks"]


class _Stored:
    """What the bucket of evidence has."""

    def __init__(self, settings: Settings) -> None:
        self.storage, self.bucket = ObjectStorage(settings), settings.bucket_evidence

    def record(self, link: Link) -> dict[str, Any] | None:
        """The record of a run, if it is there as it was linked."""
        if "record" not in link.content:
            return None
        try:
            found: dict[str, Any] = json.loads(self._read(link, "record"))
        except (NotFound, IntegrityFailed):
            return None
        return found

    def compared(self, found: list[Link]) -> Iterator[Problem]:
        """The links of the store against those of the database, and the evidence against its hashes."""
        documents, known = self._documents(), {link.sequence: link for link in found}
        for link in found:
            if link.in_store:
                yield from self._document(link, documents.pop(link.sequence, None))
            for part in PARTS:
                if part in link.content:
                    yield from self._part(link, part)
        for number, (versions, deleted) in sorted(documents.items()):
            # Those of links that have to be in the store were taken out above.
            if number in known:
                yield _problem(CHANGED, known[number], "the store has another link of this number")
            else:
                says = "it was deleted in the store, and" if deleted else "the store has it, and"
                told = f"{says} the database does not ({versions} versions)"
                yield Problem(MISSING, number, self._run_of(number), told)

    def _document(self, link: Link, seen: tuple[int, bool] | None) -> Iterator[Problem]:
        if seen is None or seen[1]:
            yield _problem(MISSING, link, "the store has no link of this number any more")
            return
        if seen[0] > 1:
            yield _problem(CHANGED, link, f"it was written {seen[0]} times in the store")
        try:
            stored = Link.of(json.loads(self.storage.get_bytes(self.bucket, chain.key_of(link.sequence))))
        except (KeyError, ValueError, TypeError, IntegrityFailed):
            yield _problem(CHANGED, link, "the store's copy of it can't be read")
            return
        if stored != link:
            yield _problem(CHANGED, link, "the store's copy of it is another one")

    def _part(self, link: Link, part: str) -> Iterator[Problem]:
        try:
            self._read(link, part)
        except NotFound:
            yield _problem(MISSING, link, f"the store has no {part} of it any more")
        except IntegrityFailed:
            yield _problem(CHANGED, link, f"its {part} in the store is another one")

    def _read(self, link: Link, part: str) -> bytes:
        key = str(link.content[part]).removeprefix(f"s3://{self.bucket}/")
        return self.storage.get_bytes(self.bucket, key, sha256=str(link.content.get(f"{part}_sha256")))

    def _documents(self) -> dict[int, tuple[int, bool]]:
        """Number -> how many versions the store has of it, and whether it is deleted now."""
        seen: dict[int, tuple[int, bool]] = {}
        for info in self.storage.list_history(self.bucket, chain.PREFIX):
            name = info.key.removeprefix(chain.PREFIX).removesuffix(".json")
            if name.isdigit():
                count, deleted = seen.get(int(name), (0, False))
                seen[int(name)] = (count + (not info.deleted), deleted or (info.deleted and info.latest))
        return seen

    def _run_of(self, number: int) -> str:
        try:
            values = json.loads(self.storage.get_bytes(self.bucket, chain.key_of(number)))
            return str(UUID(values["run_id"]))
        except (NotFound, IntegrityFailed, KeyError, ValueError, TypeError):
            return ""

    def unlinked(self, found: list[Link], waiting: set[str]) -> Iterator[Problem]:
        """Records that no link names, of runs that do not wait on this machine."""
        linked = {
            address.removeprefix(f"s3://{self.bucket}/").rpartition("/")[0] + "/"
            for link in found
            if (address := link.content.get("notebook", ""))
        }
        for folder in (DRILLS, RUNBOOKS):
            for info in self.storage.list(self.bucket, f"{folder}/"):
                prefix, _, name = info.key.rpartition("/")
                if name == RECORD and f"{prefix}/" not in linked | waiting:
                    run_id = prefix.rpartition("/")[2]
                    yield Problem(INSERTED, 0, run_id, f"no link names s3://{self.bucket}/{info.key}")


def _problem(kind: str, link: Link, says: str) -> Problem:
    return Problem(kind, link.sequence, str(link.run_id), says)
