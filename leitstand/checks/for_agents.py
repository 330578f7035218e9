"""Data checks, begun by an agent's tool."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from leitstand.checks.overview import start
from leitstand.identity.access import Principal
from leitstand.settings import get_settings


def run_for_agent(session: Session, *, principal: Principal, arguments: Mapping[str, Any]) -> str:
    """Have the suite `suite` run, as `overview.start` does; what a model is told.

    Raises:
        LeitstandError: as `overview.start`.
    """
    suite = arguments["suite"]
    start(session, get_settings().checks_dir, principal=principal, suite=suite)
    return f"Started: the data checks {suite}. Their result will be at /operations/checks."
