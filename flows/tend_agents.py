"""Look after agents: threads and answers that nobody works on, and apps whose instant was missed."""

from typing import Any

from prefect import flow, task

from flows.execution import once, say, worth_retrying
from leitstand.db.engine import get_engine


@task(name="tend-agents", retries=3, retry_delay_seconds=60, retry_condition_fn=worth_retrying)
def tend() -> dict[str, int]:
    """Queue them; the queue worker does the work."""
    from leitstand.agents.due import begin_due
    from leitstand.agents.lost import pick_up
    from leitstand.conversations.lost import pick_up as pick_up_answers

    found, begun = pick_up(get_engine()), begin_due(get_engine())
    answers = pick_up_answers(get_engine())
    say(
        f"picked up: {len(found.again)}, failed: {len(found.failed)}, apps that were due: {begun}, answers: {answers}"
    )
    return {"again": len(found.again), "failed": len(found.failed), "begun": begun, "answers": answers}


@flow(name="tend-agents")
def tend_agents() -> Any:
    """Pick up what was left, and begin what is due."""
    return once("tend-agents", tend)
