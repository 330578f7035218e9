"""Usage beside the limits: a meter a limit, and the month's figures, on the page and as a file."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from leitstand.billing.invoices import month_after
from leitstand.errors import InvalidInput
from leitstand.identity.access import Principal, require
from leitstand.insights.activity import active_users
from leitstand.insights.opening import open_facts
from leitstand.insights.scope import Scope
from leitstand.insights.usage import forecasts
from leitstand.limits.counting import all_used
from leitstand.limits.plans import KINDS
from leitstand.limits.room import plan_of
from leitstand.words import msg
from leitstand.words.spreadsheet import lines

WARN_PERCENT = 80
COLUMNS = ("what", "used", "limit", "percent", "expected")


@dataclass(frozen=True)
class Meter:
    """One figure beside its limit.

    Args:
        what: one of `leitstand.limits.plans.KINDS`, or `runs_a_month` and `active_users`, which no plan limits.
        limit, percent: None where there is no limit; percent may exceed 100.
        expected: what the month will come to; None where nothing is foretold.
    """

    what: str
    used: int
    limit: int | None = None
    expected: int | None = None

    @property
    def percent(self) -> int | None:
        """How much of the limit is used, rounded down."""
        if self.limit is None:
            return None
        return self.used * 100 // self.limit if self.limit else 100

    @property
    def near(self) -> bool:
        """Whether it is time to warn: over 80 % of the limit is used, or more than the limit is expected."""
        if self.limit is None:
            return False
        return (self.percent or 0) > WARN_PERCENT or (self.expected or 0) > self.limit

    def to_dict(self) -> dict[str, object]:
        return asdict(self) | {"percent": self.percent, "near": self.near}


@dataclass(frozen=True)
class Usage:
    """The meters of a workspace in the month that runs."""

    month: date
    meters: list[Meter]


def get_usage(session: Session, *, principal: Principal, now: datetime | None = None) -> Usage:
    """What the workspace uses, beside the limits of its plan.

    Raises:
        Forbidden: without `billing:manage`.
    """
    require(principal, "billing:manage")
    today = (now or datetime.now(UTC)).astimezone(ZoneInfo(principal.zone)).date()
    month = today.replace(day=1)
    scope = Scope(principal.workspace_id, None, month, month_after(month), principal.zone)
    with open_facts(session, scope) as facts:
        events, runs = forecasts(facts, scope, today)
        people = active_users(facts, scope)
    limits, used = plan_of(session, principal.workspace_id).limits, all_used(session, principal.workspace_id)
    # What the plan counts by is fresh to the second; what is foretold rests on the same facts.
    meters = [
        Meter(what, used[what], limits.of(what), events.expected if what == "events_a_month" else None)
        for what in KINDS
    ]
    meters += [Meter("runs_a_month", runs.so_far, None, runs.expected), Meter("active_users", people)]
    return Usage(month, meters)


def export_usage(session: Session, *, principal: Principal, form: str) -> Iterator[str]:
    """The meters as a file.

    Args:
        form: `csv` or `json`.

    Raises:
        Forbidden: without `billing:manage`.
        InvalidInput: there is no such form.
    """
    if form not in {"csv", "json"}:
        raise InvalidInput(msg("There is no form {form!r}.", form=form[:20]), hint="It is csv or json.")
    usage = get_usage(session, principal=principal)
    if form == "json":
        found = {"month": usage.month.isoformat(), "meters": [meter.to_dict() for meter in usage.meters]}
        return iter([json.dumps(found)])
    rows = [[getattr(meter, name) for name in COLUMNS] for meter in usage.meters]
    return lines(["month", *COLUMNS], ([usage.month.isoformat(), *row] for row in rows))
