"""Runs of visitors: each step is one durable transition, taken once, with its events in the same transaction.

Two tabs, a doubled submit and the back button all send a revision that is no longer the run's: they change nothing
and are shown where the run stands. A run keeps the version that it began on.
"""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import Compiled, bindparam, select
from sqlalchemy.orm import Session

from leitstand.companions import run_rows
from leitstand.companions.flow import Flow
from leitstand.companions.handovers import hand_over
from leitstand.companions.run_rows import RunRow
from leitstand.companions.runner import Answer, Asker, Reply, State, advance, begin, normal, question_of
from leitstand.companions.spaces import asker_of_version, reply_from, reply_to
from leitstand.companions.steps import CLOSING, HandOver
from leitstand.db import row_security
from leitstand.db.engine import driver_cursor, for_driver
from leitstand.db.ids import derived_uuid7
from leitstand.db.models import Companion, CompanionVersion, Item
from leitstand.db.models.base import new_id
from leitstand.errors import Conflict, IntegrityFailed, NotFound
from leitstand.events.ledger import IncomingEvent, Kind, Verdict, record
from leitstand.words import msg, said

SOURCE = "runtime"
KEY_BYTES = 16
PARSED_FLOWS = 256
# Statements are made once: making one costs as much as asking it.
OPEN = (
    select(Companion.item_id, Item.workspace_id, Companion.slug, Companion.published_version)
    .join(Item, Item.id == Companion.item_id)
    .where(
        Companion.slug == bindparam("slug"),
        Companion.published_version.is_not(None),
        Item.status == "published",
        Item.deleted_at.is_(None),
    )
)
OPEN_AND_ENTER = OPEN.add_columns(*row_security.entering(Item.workspace_id))
FLOW = select(CompanionVersion.flow).where(
    CompanionVersion.companion_id == bindparam("companion"), CompanionVersion.number == bindparam("version")
)
# Of this process, by companion and version, which never change; reading one costs more than the rest of a request.
_flows: dict[tuple[UUID, int], Flow] = {}


@dataclass(frozen=True)
class OpenCompanion:
    """A companion that is open to visitors; `actor_kind` is how events name whoever talks with it."""

    companion_id: UUID
    workspace_id: UUID
    slug: str
    version: int
    actor_kind: str = "visitor"


@dataclass(frozen=True)
class Run:
    """Where a visitor's run stands; `flow` is the version that it began on."""

    run_id: UUID
    version: int
    flow: Flow
    state: State
    ended: bool


@dataclass(frozen=True)
class Prepared:
    """What a space answers to a question that a step is about to take."""

    space: str
    question: str
    reply: Reply

    def or_else(self, ask: Asker) -> Asker:
        """Gives this reply to its question; another one asks."""

        def given(space: str, question: str) -> Reply:
            same = (space, question) == (self.space, self.question)
            return self.reply if same else ask(space, question)

        return given


class Outcome(StrEnum):
    """What became of an answer.

    Taken; the same one once more; for a place where the run no longer stands; or not taken yet, since a space is to be
    asked first.
    """

    TAKEN = "taken"
    REPEATED = "repeated"
    STALE = "stale"
    ASKS = "asks"


def find_open(session: Session, slug: str, *, enter: bool = False) -> OpenCompanion:
    """The companion that visitors reach under that link.

    Args:
        enter: from here on the transaction sees the rows of its workspace alone (see `leitstand.db.row_security`).

    Raises:
        NotFound: none; the same for one that is unknown, not published, withdrawn or in the trash.
    """
    statement = _opening(enter)
    cursor = driver_cursor(session)
    cursor.execute(statement.string, statement.construct_params({"slug": slug}))
    row = cursor.fetchone()
    if row is None:
        raise NotFound("There is nothing at this address.", hint="Check the link, or ask who gave it to you.")
    return OpenCompanion(*row[:4])


@cache
def _opening(enter: bool) -> Compiled:
    return for_driver(OPEN_AND_ENTER if enter else OPEN)


def visitor_key(workspace_id: UUID, token: str) -> str:
    """How a workspace knows a visitor: a hash of the random token in the cookie, different in every workspace.

    The token itself is never stored, so that nobody who reads the database can go on in a visitor's place.
    """
    return hashlib.blake2b(token.encode(), digest_size=KEY_BYTES, key=workspace_id.bytes).hexdigest()


def preview(session: Session, companion: OpenCompanion) -> Run:
    """The beginning of the published version, of which nothing is kept."""
    flow = _flow(session, companion.companion_id, companion.version)
    state = begin(flow)
    return Run(new_id(), companion.version, flow, state, ended=_is_end(flow, state))


def find_run(session: Session, *, companion: OpenCompanion, visitor: str) -> Run | None:
    """The visitor's last run of the companion."""
    row = run_rows.last(session, companion.companion_id, visitor)
    return _run(session, row) if row is not None else None


def open_run(session: Session, *, companion: OpenCompanion, visitor: str) -> Run:
    """The visitor's last run of the companion, begun (and counted as viewed) where there is none.

    Args:
        visitor: as `visitor_key` gives it.
    """
    found = find_run(session, companion=companion, visitor=visitor)
    return found or _begin(session, companion, visitor)


def give_answer(
    session: Session,
    *,
    companion: OpenCompanion,
    visitor: str,
    run_id: UUID,
    revision: int,
    answer: str,
    prepared: Prepared | None = None,
    quoting: bool = True,
) -> tuple[Outcome, Run]:
    """Take an answer where the visitor's run stands, and say what became of it and where the run stands then.

    Args:
        run_id, revision: the run and its state as the page showed them on which the answer was given.
        prepared: what a model answered beforehand (see `preparing.prepare`); without it, a space is quoted.
        quoting: whether that may be; else nothing is taken where nothing is prepared, and the outcome is `ASKS`.

    Raises:
        InvalidInput: the step does not take this answer.
        Conflict: the run has ended or is too long.
    """
    row = run_rows.locked(session, companion.companion_id, visitor, run_id)
    if row is None:
        return Outcome.STALE, open_run(session, companion=companion, visitor=visitor)
    run = _run(session, row)
    if row.revision != revision:
        repeated = _repeats(run, revision, answer)
        return (Outcome.REPEATED if repeated else Outcome.STALE), run
    if prepared is None and not quoting and question_of(run.flow, run.state, answer) is not None:
        return Outcome.ASKS, run
    ask = asker_of_version(session, row.workspace_id, row.companion_id, row.version)
    state = advance(run.flow, run.state, answer, prepared.or_else(ask) if prepared else ask)
    after = _write(session, row, companion, run.flow, state)
    return Outcome.TAKEN, _run(session, after)


def start_again(session: Session, *, companion: OpenCompanion, visitor: str, run_id: UUID) -> Run:
    """Leave a run and begin a new one on the published version; nothing happens where `run_id` is not the last."""
    row = run_rows.locked(session, companion.companion_id, visitor, run_id)
    if row is None or row.revision == 0:
        return open_run(session, companion=companion, visitor=visitor)
    run_rows.leave(session, row, datetime.now(UTC))
    return _begin(session, companion, visitor)


def _begin(session: Session, companion: OpenCompanion, visitor: str) -> Run:
    """A new run; where another tab begins one at the same moment, that one."""
    now, flow = datetime.now(UTC), _flow(session, companion.companion_id, companion.version)
    state = begin(flow)
    row = run_rows.begin(
        session,
        workspace_id=companion.workspace_id,
        companion_id=companion.companion_id,
        version=companion.version,
        visitor=visitor,
        step=state.step,
        now=now,
        ended=_is_end(flow, state),
    )
    if row is not None:
        _record(session, row, [_event(row, companion, "viewed", now)])
        return _run(session, row)
    begun = run_rows.going_on(session, companion.companion_id, visitor)
    if begun is None:
        raise Conflict("The run was ended in another window.", hint="Load the page again.")
    return _run(session, begun)


def _write(session: Session, row: RunRow, companion: OpenCompanion, flow: Flow, state: State) -> RunRow:
    now, given, ended = datetime.now(UTC), state.answers[-1], _is_end(flow, state)
    after = run_rows.go_on(session, row, given=_kept(given), step=state.step, now=now, ended=ended)
    events = [_event(after, companion, "answered", now, step=given.step)]
    if ended:
        events.append(_event(after, companion, "completed", now, step=state.step))
    step = flow.step(state.step)
    if isinstance(step, HandOver):
        hand_over(session, run=after, step=step)
    _record(session, after, events)
    return after


def _kept(answer: Answer) -> dict[str, Any]:
    kept: dict[str, Any] = {"step": answer.step, "answer": answer.answer}
    return kept if answer.reply is None else kept | {"reply": reply_to(answer.reply)}


def _record(session: Session, row: RunRow, events: list[IncomingEvent]) -> None:
    outcomes = record(
        session, workspace_id=row.workspace_id, events=events, source=SOURCE, companions={row.companion_id}
    )
    refused = [outcome.reason for outcome in outcomes if outcome.verdict is not Verdict.ACCEPTED]
    if refused:
        raise IntegrityFailed(
            msg("A step's events were not taken: {reason}.", reason=said(refused[0]))
            if refused[0]
            else "A step's events were there already."
        )


def _event(row: RunRow, companion: OpenCompanion, kind: Kind, at: datetime, step: str = "") -> IncomingEvent:
    """An event whose id follows from run, revision and kind. It holds no word of what a visitor wrote."""
    return IncomingEvent(
        event_id=derived_uuid7(at, f"{row.id}:{row.revision}:{kind}".encode()),
        kind=kind,
        companion_id=row.companion_id,
        run_key=str(row.id),
        occurred_at=at,
        step=step,
        actor_key=row.visitor,
        actor_kind=companion.actor_kind,
        seq=row.revision + (kind == "completed"),
        flow_version=row.version,
    )


def _run(session: Session, row: RunRow) -> Run:
    flow = _flow(session, row.companion_id, row.version)
    answers = tuple(
        Answer(entry["step"], entry["answer"], reply_from(entry.get("reply"))) for entry in row.answers
    )
    return Run(row.id, row.version, flow, State(row.step, answers), ended=row.ended_at is not None)


def _repeats(run: Run, revision: int, answer: str) -> bool:
    """Whether this very answer was taken at that revision already: a doubled submit, not another opinion."""
    if not 0 <= revision < len(run.state.answers):
        return False
    taken = run.state.answers[revision]
    return taken.answer in (answer, normal(run.flow.step(taken.step), answer))


def _is_end(flow: Flow, state: State) -> bool:
    return flow.step(state.step).kind in CLOSING


def _flow(session: Session, companion_id: UUID, number: int) -> Flow:
    found = _flows.get((companion_id, number))
    if found is None:
        document = session.scalar(FLOW, {"companion": companion_id, "version": number})
        found = Flow.model_validate(document)
        if len(_flows) >= PARSED_FLOWS:
            _flows.clear()
        _flows[companion_id, number] = found
    return found
