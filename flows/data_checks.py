"""Check the data against its rules, and facts against raw events."""

from typing import Any

from prefect import flow, task

from flows.execution import once, say, worth_retrying
from leitstand.errors import IntegrityFailed
from leitstand.settings import get_settings


@task(name="run-checks", retries=1, retry_delay_seconds=60, retry_condition_fn=worth_retrying)
def run_checks_of(target: str) -> dict[str, Any]:
    """Run every check on the live database."""
    from leitstand.checks.run import run_checks

    result = run_checks(get_settings().database_url, target=target)
    say(f"{result.evaluated} checks, {result.failed} failed")
    return result.to_dict()


@flow(name="data-checks")
def check_data() -> Any:
    """Run every data check on the live database; a check that fails fails the flow and is named."""

    def work() -> dict[str, Any]:
        result = run_checks_of("live")
        if not result["success"]:
            named = ", ".join(check["name"] for check in result["results"] if not check["success"])
            raise IntegrityFailed(f"Data checks failed: {named}.")
        return result

    return once("data-checks", work)
