"""A report, asked for by an agent's tool."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from sqlalchemy.orm import Session

from leitstand.errors import InvalidInput
from leitstand.identity.access import Principal
from leitstand.reports.editions import request_report
from leitstand.words import msg


def run_for_agent(session: Session, *, principal: Principal, arguments: Mapping[str, Any]) -> str:
    """Have the report `name` made of the period around `day`, as `editions.request_report` does; what a model is told.

    Raises:
        InvalidInput: the day is none.
        LeitstandError: as `editions.request_report`.
    """
    try:
        day = date.fromisoformat(arguments["day"]) if arguments.get("day") else None
    except ValueError as error:
        raise InvalidInput(
            msg("{text!r} is not a day.", text=arguments["day"]), hint="Write it as 2026-11-23."
        ) from error
    report = request_report(session, principal=principal, name=arguments["name"], day=day)
    return (
        f"Started: the report {report.name} of {report.period_start} to {report.period_end} is being made."
        f" It will be at /reports/{report.id}."
    )
