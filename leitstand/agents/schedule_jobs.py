"""The job that begins the apps that are due."""

from leitstand.jobs.registry import job


@job("agents.scheduled", attempts=10)
def begin_scheduled() -> None:
    """Begin a thread of every schedule whose instant has come; each instant is begun once, whoever asks."""
    from leitstand.agents.due import begin_due
    from leitstand.db.engine import get_engine

    begin_due(get_engine())
