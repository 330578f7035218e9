"""leitstand worker: run the queue worker, and see and mend what is in the queue."""

import json
import os
import sys

import click


@click.group(name="worker")
def group() -> None:
    """The queue: its worker and its jobs."""


@group.command(name="run")
def run() -> None:
    """Run the worker until it is told to stop (SIGTERM)."""
    from leitstand.settings import REPOSITORY

    # The core knows no HTTP server: the process becomes the entry that does.
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, [str(REPOSITORY), os.environ.get("PYTHONPATH", "")])),
    }
    os.execve(sys.executable, [sys.executable, "-m", "serving.worker"], environment)  # noqa: S606 - our own module


@group.command(name="jobs")
@click.option(
    "--status", default=None, help="Only those that are todo, doing, succeeded, failed, cancelled or aborted."
)
@click.option("--limit", default=50, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of a table.")
def jobs(status: str | None, limit: int, as_json: bool) -> None:
    """The newest jobs, and why the last attempt of each failed."""
    from dataclasses import asdict

    from leitstand.db.engine import transaction
    from leitstand.jobs.listing import list_jobs, queue_figures

    with transaction() as session:
        rows, figures = list_jobs(session, status=status, limit=limit), queue_figures(session)
    if as_json:
        click.echo(json.dumps({"queue": asdict(figures), "jobs": [row.to_dict() for row in rows]}))
        return
    for row in rows:
        changed = f"{row.changed_at:%Y-%m-%d %H:%M:%S}" if row.changed_at else ""
        click.echo(
            f"{row.id:>7}  {row.name:<24} {row.status:<10} {row.attempts:>2} attempts  {changed}  {row.reason}"
        )
    click.echo(
        f"{figures.waiting} waiting (oldest {figures.oldest_seconds:.0f} s), {figures.running} running, {figures.failed} failed",
        err=True,
    )


@group.command(name="retry")
@click.argument("job_id", type=int)
def retry(job_id: int) -> None:
    """Put the failed job JOB_ID back into the queue."""
    from leitstand.db.engine import transaction
    from leitstand.jobs.listing import retry_job

    with transaction() as session:
        retry_job(session, job_id)
    click.echo(f"Job {job_id} is in the queue again.")


@group.command(name="cancel")
@click.argument("job_id", type=int)
def cancel(job_id: int) -> None:
    """Take the job JOB_ID out of the queue; one that runs ends for good when its worker ends."""
    from leitstand.db.engine import transaction
    from leitstand.jobs.mending import cancel_job

    with transaction() as session:
        done = cancel_job(session, job_id)
    click.echo(f"Job {job_id}: {done}.")
