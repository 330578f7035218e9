"""Take in the event files that lie in the workspaces' inbox folders."""

from typing import Any

from prefect import flow, task

from flows.execution import once, say, worth_retrying
from leitstand.db.engine import get_engine, transaction
from leitstand.errors import InvalidInput
from leitstand.settings import get_settings


@task(name="scan-inbox", retries=3, retry_delay_seconds=[10, 30, 60], retry_condition_fn=worth_retrying)
def scan_inbox() -> list[dict[str, Any]]:
    """Import every settled file; one that can't be read is moved aside with the reason and stops no other."""
    from leitstand.events.inbox import scan

    results = scan(get_engine(), get_settings())
    for result in results:
        say(f"{result.workspace}/{result.file}: {result.summary}")
    return [result.to_dict() for result in results]


@task(name="ask-for-checks", retries=1, retry_delay_seconds=10, retry_condition_fn=worth_retrying)
def ask_for_checks_of_events() -> None:
    """Have what came in checked in some minutes, together with what comes meanwhile."""
    from leitstand.checks.ingested import ask_for_checks

    with transaction(get_engine()) as session:
        ask_for_checks(session)


@flow(name="ingest-inbox")
def ingest_inbox() -> Any:
    """Import what lies in the inbox folders; the run fails when a file had to be moved aside."""

    def work() -> list[dict[str, Any]]:
        results = scan_inbox()
        if any(result.get("accepted") for result in results):
            ask_for_checks_of_events()
        failed = [f"{result['workspace']}/{result['file']}" for result in results if not result["ok"]]
        if failed:
            raise InvalidInput(
                f"Not imported: {', '.join(failed)}.", hint="The report beside each file in failed/ says why."
            )
        return results

    return once("ingest-inbox", work)
