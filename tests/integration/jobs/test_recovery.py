"""Jobs of dead workers go back to the queue; old ones are forgotten."""

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from leitstand.db.models import JobFailure
from leitstand.errors import Conflict, NotFound
from leitstand.jobs.failures import keep
from leitstand.jobs.listing import list_jobs, queue_figures, retry_job
from leitstand.jobs.queue import enqueue
from leitstand.jobs.recovery import WORKER_DIED, forget_old, requeue, requeue_stalled
from tests.integration.jobs import work  # noqa: F401 - registers the jobs


def taken_by_worker(session: Session, silent_seconds: float) -> tuple[int, int]:
    """A job that a worker, silent for so long, is running: numbers of the job and of the worker."""
    number = enqueue(session, "test.note", path="x")
    worker = session.execute(text("SELECT worker_id FROM procrastinate_register_worker_v1()")).scalar_one()
    session.execute(text("SELECT id FROM procrastinate_fetch_job_v2(NULL, :worker)"), {"worker": worker})
    session.execute(
        text(
            "UPDATE procrastinate_workers SET last_heartbeat = now() - make_interval(secs => :s) WHERE id = :w"
        ),
        {"s": silent_seconds, "w": worker},
    )
    return number, worker


def test_a_silent_workers_job_is_taken_back_and_says_why(session: Session) -> None:
    number, _ = taken_by_worker(session, 60)
    assert requeue_stalled(session) == [number]
    job = list_jobs(session)[0]
    assert (job.status, job.attempts, job.reason) == ("todo", 1, WORKER_DIED)
    assert requeue_stalled(session) == []


def test_a_job_whose_worker_was_forgotten_is_taken_back(session: Session) -> None:
    number, worker = taken_by_worker(session, 0)
    session.execute(text("DELETE FROM procrastinate_workers WHERE id = :w"), {"w": worker})
    assert requeue_stalled(session) == [number]


def test_a_living_workers_job_is_left_alone_and_so_is_ones_own(session: Session) -> None:
    taken_by_worker(session, 5)
    assert requeue_stalled(session) == []
    _, own = taken_by_worker(session, 60)
    assert requeue_stalled(session, own_workers=[own]) == []


def test_a_job_that_kills_its_worker_each_time_fails_in_the_end(session: Session) -> None:
    number, _ = taken_by_worker(session, 60)
    session.execute(text("UPDATE procrastinate_jobs SET attempts = 2 WHERE id = :id"), {"id": number})
    assert requeue_stalled(session) == [number]
    assert list_jobs(session)[0].status == "failed"


def test_giving_back_leaves_a_job_that_has_just_ended(session: Session) -> None:
    number, _ = taken_by_worker(session, 0)
    ended = enqueue(session, "test.note", path="x")
    requeue(session, [number, ended, 999_999])
    assert {job.id: job.status for job in list_jobs(session)} == {number: "todo", ended: "todo"}


def finished(session: Session, status: str, days: int) -> int:
    number, _ = taken_by_worker(session, 0)
    session.execute(
        text("SELECT procrastinate_finish_job_v1(:id, CAST(:s AS procrastinate_job_status), false)"),
        {"id": number, "s": status},
    )
    session.execute(
        text("UPDATE procrastinate_events SET at = now() - make_interval(days => :d) WHERE job_id = :id"),
        {"d": days, "id": number},
    )
    return number


def test_old_jobs_are_forgotten_and_failed_ones_much_later(session: Session) -> None:
    gone = [finished(session, "succeeded", 8), finished(session, "failed", 91)]
    kept = [finished(session, "succeeded", 6), finished(session, "failed", 30)]
    for number in gone + kept:
        keep(session, job_id=number, attempt=1, reason="why", request_id="")
    assert forget_old(session) == 2
    assert sorted(job.id for job in list_jobs(session)) == kept
    assert {failure.job_id for failure in session.query(JobFailure)} == set(kept)


def test_figures_count_by_state_and_give_the_age_of_the_oldest_that_could_run(session: Session) -> None:
    finished(session, "failed", 0)
    finished(session, "succeeded", 0)
    taken_by_worker(session, 0)
    waiting = enqueue(session, "test.note", path="x")
    session.execute(
        text("UPDATE procrastinate_events SET at = now() - interval '90 seconds' WHERE job_id = :id"),
        {"id": waiting},
    )
    later = enqueue(session, "test.note", path="x")
    session.execute(
        text("UPDATE procrastinate_jobs SET scheduled_at = now() + interval '1 hour' WHERE id = :id"),
        {"id": later},
    )
    figures = queue_figures(session)
    assert (figures.waiting, figures.running, figures.failed) == (2, 1, 1)
    assert figures.oldest_seconds == pytest.approx(90, abs=5)


def test_a_failed_job_can_be_put_back_and_no_other(session: Session) -> None:
    number = finished(session, "failed", 0)
    retry_job(session, number)
    assert list_jobs(session)[0].status == "todo"
    with pytest.raises(Conflict, match="todo"):
        retry_job(session, number)
    with pytest.raises(NotFound):
        retry_job(session, 999_999)
