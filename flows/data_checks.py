"""Check the data against its rules, and facts against raw events."""

from typing import Any

from prefect import flow, task

from flows.execution import once, say, worth_retrying
from leitstand.db.engine import get_engine
from leitstand.errors import IntegrityFailed
from leitstand.settings import get_settings


@task(name="run-checks", retries=1, retry_delay_seconds=60, retry_condition_fn=worth_retrying)
def run_checks_of(suites: str) -> dict[str, Any]:
    """Run the checks of these suites on the live database."""
    from leitstand.checks.run import check_live

    result = check_live(get_engine(), get_settings(), suites=[suites])
    say(f"{result.evaluated} checks, {result.failed} failed {result.documents}".rstrip())
    return result.to_dict()


@task(name="check-copies", retries=1, retry_delay_seconds=60, retry_condition_fn=worth_retrying)
def check_copies_of() -> dict[str, Any]:
    """Compare the columnar copies with the facts, day by day."""
    from leitstand.checks.fact_copy import check_copies

    result = check_copies(get_engine(), get_settings())
    say(f"{result.results[0]['unexpected']} days of copies differ from the facts")
    return result.to_dict()


@task(name="audit-chain", retries=1, retry_delay_seconds=60, retry_condition_fn=worth_retrying)
def audit_chain() -> dict[str, Any]:
    """Compare the archived evidence of drills and runbooks with its chain."""
    from leitstand.runbooks.chain_check import check_chain

    result = check_chain(get_engine(), get_settings())
    say(f"{result.results[0]['unexpected']} links of the chain of evidence are broken")
    return result.to_dict()


@flow(name="data-checks")
def check_data(suites: str = "all") -> Any:
    """Run data checks on the live database; a check that fails fails the flow and is named.

    Args:
        suites: "all", "ingestion" (those that events can violate), or the name of one.
    """

    def work() -> dict[str, Any]:
        result, copies = run_checks_of(suites), check_copies_of()
        outcomes = [*result["results"], *copies["results"]]
        if suites == "all":
            outcomes += audit_chain()["results"]
        named = ", ".join(check["name"] for check in outcomes if not check["success"])
        if named:
            raise IntegrityFailed(f"Data checks failed: {named}.")
        return result

    return once("data-checks", work)
