"""The columnar copies against the facts: kept beside the data checks, and shown with them."""

import time
from dataclasses import asdict

from sqlalchemy import Engine

from leitstand.checks import history
from leitstand.checks.result import LIVE, CheckResult
from leitstand.db.engine import transaction
from leitstand.insights.copy.checking import Difference, copied_workspaces, differences
from leitstand.settings import Settings
from leitstand.telemetry.logs import get_logger

SUITE, NAME = "fact-copy", "copy-equals-facts"
SAYS = "By workspace and UTC day, the columnar copy holds what the facts do."
EXAMPLES = 20
log = get_logger("checks")


def check_copies(engine: Engine, settings: Settings) -> CheckResult:
    """Compare every copy with its facts, and keep the result in `check_run`.

    Raises:
        LeitstandError: the store or the database did not answer.
    """
    begun = time.monotonic()
    with transaction(engine) as session:
        workspaces = copied_workspaces(session)
    found = [difference for workspace_id in workspaces for difference in differences(settings, workspace_id)]
    result = CheckResult(
        not found, 1, int(bool(found)), [_line(found)], SUITE, LIVE, time.monotonic() - begun
    )
    history.keep_rows(engine, result)
    log.info("copies checked", workspaces=len(workspaces), differing_days=len(found))
    return result


def _line(found: list[Difference]) -> dict[str, object]:
    examples = [
        {name: "" if value is None else str(value) for name, value in asdict(difference).items()}
        for difference in found[:EXAMPLES]
    ]
    return {
        "name": NAME, "suite": SUITE, "table": "fact_part", "says": SAYS, "success": not found,
        "unexpected": len(found), "examples": examples, "error": "",
    }  # fmt: skip
