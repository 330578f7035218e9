"""A job exists when its transaction was committed, and carries the identity of who asked for it."""

import json
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from leitstand.errors import InvalidInput, NotFound
from leitstand.jobs.listing import list_jobs
from leitstand.jobs.queue import enqueue
from leitstand.telemetry.context import bound
from tests.integration.jobs import work  # noqa: F401 - registers the jobs


def test_a_rollback_leaves_no_job_and_a_commit_leaves_one(session: Session) -> None:
    enqueue(session, "test.note", path="x")
    session.rollback()
    assert list_jobs(session) == []
    number = enqueue(session, "test.note", path="x")
    session.commit()
    assert [(job.id, job.name, job.status) for job in list_jobs(session)] == [(number, "test.note", "todo")]


def test_a_failed_statement_of_the_caller_takes_the_job_with_it(session: Session) -> None:
    with pytest.raises(Exception, match="division"), session.begin():
        enqueue(session, "test.note", path="x")
        session.execute(text("SELECT 1/0"))
    assert list_jobs(session) == []


def test_the_identity_of_the_work_goes_with_the_job(session: Session) -> None:
    with bound("request-12345678", "00-" + "a" * 32 + "-" + "b" * 16 + "-01"):
        enqueue(session, "test.note", path="x", item=uuid4())
    arguments = session.execute(text("SELECT args FROM procrastinate_jobs")).scalar_one()
    assert arguments["_identity"]["request_id"] == "request-12345678"
    assert arguments["_identity"]["traceparent"].startswith("00-" + "a" * 32)
    assert list_jobs(session)[0].request_id == "request-12345678"
    assert len(arguments["item"]) == 36


@pytest.mark.parametrize("value", [object(), float("nan"), {1, 2}, b"bytes"])
def test_what_is_no_json_value_is_refused_by_name(session: Session, value: object) -> None:
    with pytest.raises(InvalidInput, match=r"test\.note"):
        enqueue(session, "test.note", path=value)


def test_an_unknown_job_is_refused_when_it_is_enqueued(session: Session) -> None:
    with pytest.raises(NotFound):
        enqueue(session, "test.misspelt")


def test_rows_are_json(session: Session) -> None:
    enqueue(session, "test.note", path="x")
    assert json.loads(json.dumps(list_jobs(session)[0].to_dict()))["status"] == "todo"


@pytest.mark.parametrize(("status", "limit"), [("nonsense", 5), ("todo", 0), ("todo", 100_000)])
def test_listing_refuses_what_makes_no_sense(session: Session, status: str, limit: int) -> None:
    with pytest.raises(InvalidInput):
        list_jobs(session, status=status, limit=limit)
