"""The audit of the chain of evidence as a data check: kept, told of when it fails, and shown with the others."""

import time
from typing import Any

from sqlalchemy import Engine

from leitstand.checks import history
from leitstand.checks.result import LIVE, CheckResult
from leitstand.db.engine import transaction
from leitstand.health.evidence import CHAIN_SUITE
from leitstand.runbooks.audit import audit
from leitstand.settings import Settings
from leitstand.telemetry.logs import get_logger

NAME = "evidence-is-chained"
SAYS = "The archived evidence of every drill and runbook is what the chain says, and no link is missing."
EXAMPLES = 20
log = get_logger("checks")


def check_chain(engine: Engine, settings: Settings) -> CheckResult:
    """Read all archived evidence, compare it with the chain, and keep the result in `check_run`.

    Raises:
        LeitstandError: the store or the database did not answer.
    """
    begun = time.monotonic()
    with transaction(engine) as session:
        broken = [str(problem) for problem in audit(session, settings).problems]
    seconds = round(time.monotonic() - begun, 3)
    result = CheckResult(not broken, 1, int(bool(broken)), [_line(broken)], CHAIN_SUITE, LIVE, seconds)
    history.keep_rows(engine, result)
    log.info("chain of evidence audited", broken=len(broken))
    return result


def _line(broken: list[str]) -> dict[str, Any]:
    return {
        "name": NAME, "suite": CHAIN_SUITE, "table": "drill", "says": SAYS, "success": not broken,
        "unexpected": len(broken), "examples": [{"id": it} for it in broken[:EXAMPLES]], "error": "", "skipped": "",
    }  # fmt: skip
