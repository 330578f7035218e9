"""Ingestion: files, refusals and documents of a range, by hand; and the outcomes of jobs and flows."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from leitstand.db.models import Document, EventImport, EventRefusal, FlowExecution, Item, Person, Workspace
from leitstand.db.models.base import new_id
from leitstand.errors import Forbidden
from leitstand.health import outcomes
from leitstand.identity.access import Principal
from leitstand.insights import ingestion
from leitstand.insights.scope import Scope
from leitstand.words import msg, translate
from tests.integration.insights.test_annotations import person
from tests.integration.insights.test_figures import rows_of

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def scope(workspace: Workspace) -> Scope:
    return Scope(workspace.id, None, date(2026, 3, 1), date(2026, 3, 3), "UTC")


@pytest.fixture
def came_in(session: Session, workspace: Workspace) -> None:
    """Two files on two days, three refusals of two reasons, four documents."""
    for at, accepted, refused, ended in (
        (NOON, 90, 3, NOON + timedelta(seconds=8)),
        (NOON + 24 * HOUR, 10, 0, None),
    ):
        one = EventImport(
            workspace_id=workspace.id, file_name=f"{at:%d}.csv", file_sha256=at.isoformat(), file_bytes=1, log_id=new_id(),
            options={}, status="done" if ended else "running", accepted=accepted, duplicates=2, identical=1, refused=refused,
            started_at=at, finished_at=ended,
        )  # fmt: skip
        session.add(one)
    for reason, replayed in (("no time", None), ("no time", NOON), ("no name", None)):
        session.add(
            EventRefusal(workspace_id=workspace.id, reason=reason, raw="x", at=NOON, replayed_at=replayed)
        )
    space = _space(session, workspace, "workspace")
    for status, reason, seconds in (
        ("ready", "", 2),
        ("ready", "", 10),
        ("failed", "no reader", 1),
        ("uploaded", "", 0),
    ):
        _document(session, space, status, reason, seconds)
    session.commit()


def _space(session: Session, workspace: Workspace, visibility: str, owner: Person | None = None) -> Item:
    space = Item(
        workspace_id=workspace.id, kind="space", title="Manuals", visibility=visibility,
        owner_id=owner.id if owner else None,
    )  # fmt: skip
    session.add(space)
    session.flush()
    return space


def _document(session: Session, space: Item, status: str, reason: str, seconds: int) -> None:
    session.add(
        Document(
            workspace_id=space.workspace_id, space_id=space.id, title=f"{status}.md", object_key="", media_type="text/markdown",
            bytes=1000, sha256=uuid4().hex, status=status, reason=reason, created_at=NOON, updated_at=NOON + timedelta(seconds=seconds),
        )
    )  # fmt: skip


def test_files_and_their_events(session: Session, scope: Scope, came_in: None, owner: Principal) -> None:
    days = ingestion.files_by_day(session, scope, principal=owner)
    assert rows_of(days) == [(date(2026, 3, 1), 1, 90, 3, 3), (date(2026, 3, 2), 1, 10, 3, 0)]
    files = ingestion.files(session, scope, principal=owner)
    assert list(files["file"]) == ["02.csv", "01.csv"]
    assert files["seconds"][1] == 8.0
    first_day = replace(scope, end=date(2026, 3, 2))
    assert list(ingestion.files(session, first_day, principal=owner)["file"]) == ["01.csv"]
    assert ingestion.days_with_any(session, scope, principal=owner) == (date(2026, 3, 1), date(2026, 3, 2))


def test_refusals_by_reason(session: Session, scope: Scope, came_in: None, owner: Principal) -> None:
    found = ingestion.refusals(session, scope, principal=owner)
    assert rows_of(found) == [("no time", 2, 1, NOON), ("no name", 1, 0, NOON)]


def test_a_reason_stays_what_it_was_made_of(
    session: Session, scope: Scope, workspace: Workspace, owner: Principal
) -> None:
    reason = msg("{name} is missing", name="kind")
    session.add_all(
        EventRefusal(workspace_id=workspace.id, reason=reason, raw="x", at=NOON) for _ in range(2)
    )
    session.commit()
    [found] = ingestion.refusals(session, scope, principal=owner)["reason"]
    assert (found, translate(found, "de")) == ("kind is missing", "kind fehlt")


def test_documents_by_outcome(session: Session, scope: Scope, came_in: None, owner: Principal) -> None:
    assert rows_of(ingestion.documents_by_day(session, scope, principal=owner)) == [
        (date(2026, 3, 1), 2, 1, 1, 4000)
    ]
    failed = ingestion.failures(session, scope, principal=owner)
    assert rows_of(failed[["reason", "documents", "example"]]) == [("no reader", 1, "failed.md")]
    latency = ingestion.latency(session, scope, principal=owner)
    assert (latency.documents, latency.median) == (2, 6.0)
    assert latency.p95 == pytest.approx(9.6)
    nothing = replace(scope, start=date(2025, 1, 1), end=date(2025, 1, 2))
    assert ingestion.latency(session, nothing, principal=owner) == ingestion.Latency(0, None, None)


def test_documents_of_another_s_private_space_are_not_told(
    session: Session, scope: Scope, workspace: Workspace, owner: Principal
) -> None:
    bob = person(session, workspace, "analyst", "Bob")
    private = _space(session, workspace, "private", session.get(Person, bob.person_id))
    _document(session, private, "failed", "a secret reason", 1)
    session.commit()
    assert ingestion.failures(session, scope, principal=owner).empty
    assert ingestion.documents_by_day(session, scope, principal=owner).empty
    assert len(ingestion.failures(session, scope, principal=bob)) == 1


def test_another_workspace_has_none_and_a_member_gets_nothing(
    session: Session, scope: Scope, came_in: None, workspace: Workspace
) -> None:
    other = Workspace(slug="other", name="Other")
    session.add(other)
    session.flush()
    stranger, foreign = person(session, other, "owner"), replace(scope, workspace_id=other.id)
    questions = (
        ingestion.files_by_day, ingestion.files, ingestion.refusals, ingestion.documents_by_day, ingestion.failures,
    )  # fmt: skip
    member = person(session, workspace, "member")
    for ask in questions:
        assert ask(session, foreign, principal=stranger).empty
        with pytest.raises(Forbidden):
            ask(session, scope, principal=member)


def test_jobs_and_flows_by_outcome(session: Session, owner: Principal, workspace: Workspace) -> None:
    for name in ("read", "read", "mail"):
        session.execute(
            text(
                "SELECT procrastinate_defer_jobs_v1(ARRAY[ROW('default', :name, 0, NULL, NULL, '{}', NULL)::procrastinate_job_to_defer_v1])"
            ),
            {"name": name},
        )
    for scheduled, status, error in ((0, "complete", ""), (1, "complete", ""), (2, "failed", "disk full")):
        at = NOON + scheduled * HOUR
        session.add(
            FlowExecution(
                flow="nightly", scheduled_for=at, status=status, started_at=at, finished_at=at + (scheduled + 1) * HOUR, error=error
            )
        )  # fmt: skip
    session.commit()
    now = datetime.now(UTC)
    jobs = outcomes.job_outcomes(session, principal=owner, since=now - HOUR, until=now + HOUR)
    assert rows_of(jobs[["name", "succeeded", "failed", "waiting", "reason"]]) == [
        ("mail", 0, 0, 1, ""), ("read", 0, 0, 2, ""),
    ]  # fmt: skip
    flows = outcomes.flow_outcomes(session, principal=owner, since=NOON, until=NOON + 24 * HOUR)
    assert rows_of(flows) == [("nightly", 2, 1, 0, 5400.0, pytest.approx(3600 * 1.95), "disk full")]
    analyst = person(session, workspace, "analyst")
    for ask in (outcomes.job_outcomes, outcomes.flow_outcomes):
        with pytest.raises(Forbidden):
            ask(session, principal=analyst, since=NOON, until=now)
