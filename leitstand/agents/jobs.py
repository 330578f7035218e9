"""The jobs that work on threads."""

from uuid import UUID

from leitstand.jobs.registry import AGENTS_QUEUE, job


@job("agents.run", lock="thread-{thread_id}", queue=AGENTS_QUEUE)
def run_thread(*, thread_id: str) -> None:
    """Work on a thread; what was done before its worker was ended is not done again."""
    from leitstand.agents.running import run
    from leitstand.db.engine import get_engine

    run(get_engine(), thread_id=UUID(thread_id))
