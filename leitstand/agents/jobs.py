"""The jobs of agents."""

from leitstand.jobs.registry import job


@job("agents.run", lock="thread-{thread_id}")
def run_thread(*, thread_id: str) -> None:
    """Work on a thread."""
    raise NotImplementedError(thread_id)
