"""Whether an environment that was made anew works: asked over HTTP as people ask it, and compared with what should be."""

import hashlib
import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import urlencode

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from leitstand.db.engine import make_engine, transaction
from leitstand.db.models import ActorBucket, Chunk, Document, Item, Membership, Person
from leitstand.embedded import probes
from leitstand.embedded.environment import Environment
from leitstand.errors import LeitstandError, NotFound
from leitstand.identity.access import Principal
from leitstand.identity.sessions import COOKIE, SignedIn, sign_in_for
from leitstand.insights.report import build
from leitstand.insights.scope import Scope, resolve
from leitstand.insights.sources import PostgresFacts
from leitstand.knowledge.parsing.passages import sentences
from leitstand.runbooks.evidence import Evidence
from leitstand.services import SERVICES
from leitstand.settings import Settings
from leitstand.storage.objects import ObjectStorage

OK = 200
LIMIT_SECONDS = 60
SAMPLE, CHUNKS = 20, 20
# A service that has just come up on a busy machine may be slow to answer.
SETTLES_WITHIN = 60
LONGEST_QUESTION = 300
LONGEST_RANGE = timedelta(days=92)
AGENT = "leitstand smoke test"
FIGURES = ("events", "sessions", "runs", "active_users")


@dataclass(frozen=True)
class Finding:
    """One thing that was tried; `ok` is None where there was nothing to try."""

    name: str
    ok: bool | None
    detail: str


@dataclass(frozen=True)
class Figures:
    """Figures of one workspace and range, as somebody who knows them says."""

    workspace: str
    scope: Scope
    values: dict[str, Any]


class Smoke:
    """The smoke test of one environment.

    Args:
        environment: that runs.
        settings: its own.
        expected: figures as the original has them; None: those that the database itself holds.
        lost_since: documents that are newer than this may be lost with the last hour's objects.
    """

    def __init__(
        self,
        environment: Environment,
        settings: Settings,
        *,
        expected: Figures | None = None,
        lost_since: datetime | None = None,
    ) -> None:
        self.environment, self.settings = environment, settings
        self.expected, self.lost_since = expected, lost_since
        self.engine = make_engine(settings, statement_timeout_ms=0, application="leitstand-smoke")
        self.signed_in: SignedIn | None = None

    def run(self) -> list[Finding]:
        """Try everything; what can't be tried is a finding too, and stops nothing."""
        tries: tuple[Callable[[], list[Finding]], ...] = (
            self._services, self._sign_in, self._catalogue, self._figures, self._documents, self._answers,
        )  # fmt: skip
        try:
            return [finding for one in tries for finding in self._tried(one)]
        finally:
            self.engine.dispose()

    def _tried(self, one: Callable[[], list[Finding]]) -> list[Finding]:
        try:
            return one()
        except LeitstandError as error:
            return [Finding(one.__name__.strip("_").replace("_", " "), False, error.message)]
        except (OSError, HTTPException, ValueError, KeyError, SQLAlchemyError) as error:
            return [Finding(one.__name__.strip("_").replace("_", " "), False, type(error).__name__)]

    # --- what is tried ---

    def _services(self) -> list[Finding]:
        """Every service is ready, and lives without asking anything else."""
        deadline = time.monotonic() + SETTLES_WITHIN
        while True:
            health = probes.ask_all(self.environment)
            if all(one.ready for one in health.values()) or time.monotonic() > deadline:
                break
            time.sleep(1)
        late = [f"{name}: {one.detail}" for name, one in health.items() if not one.ready]
        dead = [
            service.name
            for service in SERVICES
            if service.python and _get(self.environment.port_of(service), "/livez")[0] != OK
        ]
        return [
            Finding("every service is ready", not late, "; ".join(late) or f"{len(health)} of {len(health)}"),
            Finding("every service lives", not dead, ", ".join(dead) or "/livez of each"),
        ]

    def _sign_in(self) -> list[Finding]:
        """A session of a restored member, made through the core, is one for the API and for the pages."""
        with transaction(self.engine) as session:
            email = session.scalar(_someone())
            if email is None:
                return [Finding("a restored member signs in", None, "there is nobody")]
            self.signed_in = sign_in_for(session, email=email, user_agent=AGENT)
        status, body = self._ask("/api/v1/me")
        known = status == OK and json.loads(body)["email"] == email
        page, _ = self._ask("/")
        return [
            Finding("a restored member signs in", known, f"/api/v1/me answers {status}"),
            Finding("the first page opens", page == OK, f"/ answers {page}"),
        ]

    def _catalogue(self) -> list[Finding]:
        """The catalogue lists the items that were restored."""
        if not (principal := self._principal()):
            return []
        with transaction(self.engine) as session:
            rows = select(func.count()).where(Item.workspace_id == principal.workspace_id)
            there = session.scalar(rows.where(Item.kind == "companion", Item.deleted_at.is_(None))) or 0
        if not there:
            return [Finding("the catalogue lists restored items", None, "there are none")]
        status, body = self._ask("/api/v1/companions?limit=1")
        listed = len(json.loads(body)["items"]) if status == OK else 0
        return [
            Finding("the catalogue lists restored items", listed > 0, f"{there} companions, answers {status}")
        ]

    def _figures(self) -> list[Finding]:
        """Figures of a closed range are those of the original, or those that the events themselves come to."""
        if not (principal := self._principal()):
            return []
        expected = self.expected
        if expected is None:
            with transaction(self.engine) as session:
                expected = figures(session, principal, before=None)
        if expected is None:
            return [Finding("figures are as they were", None, "there are no events")]
        asked = {"from": expected.scope.start, "to": expected.scope.end, "zone": expected.scope.zone}
        status, body = self._ask(f"/api/v1/insights/report?{urlencode(asked)}")
        found = _chosen(json.loads(body)) if status == OK else {"answers": status}
        detail = f"{expected.scope.start} to {expected.scope.end}: {found}"
        if found != expected.values:
            detail += f", expected {expected.values}"
        return [Finding("figures are as they were", found == expected.values, detail)]

    def _documents(self) -> list[Finding]:
        """Bytes of documents have the SHA-256 that the database says."""
        with transaction(self.engine) as session:
            known = list(session.scalars(select(Document).order_by(Document.created_at.desc()).limit(1000)))
            session.expunge_all()
        kept = [one for one in known if self.lost_since is None or one.created_at <= self.lost_since]
        if not kept:
            return [Finding("documents are as they were", None, "there are none")]
        storage, wrong = ObjectStorage(self.settings), []
        sample = {kept[0], *random.sample(kept, min(SAMPLE, len(kept)))}
        for one in sample:
            try:
                content = storage.get_bytes(self.settings.bucket_media, one.object_key)
            except NotFound:
                wrong.append(f"{one.id} is gone")
                continue
            if hashlib.sha256(content).hexdigest() != one.sha256:
                wrong.append(f"{one.id} differs")
        newer = len(known) - len(kept)
        detail = "; ".join(wrong) or f"{len(sample)} of {len(known)} read, {newer} newer than the copy"
        return [Finding("documents are as they were", not wrong, detail)]

    def _answers(self) -> list[Finding]:
        """A question made of a passage's own words is answered from the restored index."""
        if not (principal := self._principal()):
            return []
        with transaction(self.engine) as session:
            passages = session.execute(
                select(Chunk.document_id, Chunk.content)
                .where(Chunk.workspace_id == principal.workspace_id)
                .order_by(Chunk.length.desc())
                .limit(CHUNKS)
            ).all()
        if not passages:
            return [Finding("a question is answered", None, "there are no passages")]
        document_id, content = random.choice(passages)  # noqa: S311 - any of them
        question = next(iter(sentences(content)), content)[:LONGEST_QUESTION]
        status, body = self._ask("/query/v1/ask", {"question": question})
        answer: dict[str, Any] = json.loads(body) if status == OK else {"relevant": False, "citations": []}
        cited = {one["document_id"] for one in answer["citations"]}
        own = "the passage's own document among them" if str(document_id) in cited else "from other documents"
        ok = bool(answer["relevant"]) and bool(cited)
        return [
            Finding("a question is answered", ok, f"{len(cited)} documents cited, {own}, answers {status}")
        ]

    # --- inside ---

    def _principal(self) -> Principal | None:
        return self.signed_in.principal if self.signed_in else None

    def _ask(self, path: str, body: object = None) -> tuple[int, bytes]:
        """Through the proxy, as the member who signed in."""
        headers = {"Cookie": f"{COOKIE}={self.signed_in.token}"} if self.signed_in else {}
        return _get(self.environment.port, path, headers, body)


def note(evidence: Evidence, found: list[Finding]) -> None:
    """Keep what was found with the evidence."""
    for finding in found:
        if finding.ok is None:
            evidence.skip(finding.name, finding.detail)
        else:
            evidence.check(finding.name, finding.ok, finding.detail)


def _get(
    port: int, path: str, headers: dict[str, str] | None = None, body: object = None
) -> tuple[int, bytes]:
    connection = HTTPConnection("127.0.0.1", port, timeout=LIMIT_SECONDS)
    try:
        given = {**(headers or {}), "Content-Type": "application/json"}
        content = json.dumps(body).encode() if body is not None else None
        connection.request("POST" if content else "GET", path, content, given)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def _someone() -> Any:
    """The e-mail of an owner of the workspace with the most events, who is not disabled."""
    events = select(func.count()).where(ActorBucket.workspace_id == Membership.workspace_id).scalar_subquery()
    return (
        select(Person.email)
        .join(Membership, Membership.person_id == Person.id)
        .where(Person.disabled_at.is_(None), Membership.role == "owner")
        .order_by(events.desc(), Person.created_at)
        .limit(1)
    )


def owner_of(session: Session) -> Principal | None:
    """Whom the smoke test will sign in, as the original knows them; nothing is written. None where there is nobody."""
    email = session.scalar(_someone())
    if email is None:
        return None
    person, membership = session.execute(
        select(Person, Membership)
        .join(Membership, Membership.person_id == Person.id)
        .where(Person.email == email)
        .order_by(Membership.created_at, Membership.workspace_id)
        .limit(1)
    ).one()
    return Principal(person.id, membership.workspace_id, person.name, email, membership.role, frozenset())


def figures(session: Session, principal: Principal, *, before: date | None) -> Figures | None:
    """The figures of a workspace's last quarter with events, from its facts in the database; None where there are none.

    Args:
        before: the first day that does not count, where days still change.
    """
    whole = resolve(session, workspace_id=principal.workspace_id)
    end = min(whole.end, before) if before else whole.end
    scope = replace(whole, start=max(whole.start, end - LONGEST_RANGE), end=end)
    if scope.start >= scope.end:
        return None
    has_events = session.scalar(
        select(func.count()).select_from(ActorBucket).where(*scope.buckets()).limit(1)
    )
    if not has_events:
        return None
    values = build(PostgresFacts(session), scope)
    return Figures(str(principal.workspace_id), scope, _chosen(values))


def _chosen(report: dict[str, Any]) -> dict[str, Any]:
    return {name: report[name] for name in FIGURES}
