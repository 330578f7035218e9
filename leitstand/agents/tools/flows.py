"""What Leitstand itself can be told to do: the flows that a person may start, as tools."""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy.orm import Session

from leitstand.errors import InvalidInput
from leitstand.identity.access import Principal, require
from leitstand.words import N_, msg

DAY = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"


@dataclass(frozen=True)
class Flow:
    """A flow.

    Args:
        name: what a tool's configuration calls it.
        permission: what a person needs to have a tool start it; the flow itself may need more.
        module: where its function `run_for_agent(session, *, principal, arguments) -> str` is; a name and no import,
            as flows stand above.
    """

    name: str
    title: str
    purpose: str
    permission: str
    module: str
    parameters: Mapping[str, Any]


FLOWS = (
    Flow(
        "import-bucket", N_("Import from a bucket"),
        N_("Take in what is new in a bucket that the workspace imports from."),
        "workspace:manage", "leitstand.imports.for_agents",
        {
            "type": "object",
            "properties": {"name": {"type": "string", "description": "The name of the import.", "minLength": 1, "maxLength": 100}},
            "required": ["name"], "additionalProperties": False,
        },
    ),
    Flow(
        "make-report", N_("Make a report"),
        N_("Have a report of the workspace made: the weekly insights or the monthly operations."),
        "item:read", "leitstand.reports.for_agents",
        {
            "type": "object",
            "properties": {
                "name": {"type": "string", "enum": ["weekly-insights", "monthly-operations"]},
                "day": {"type": "string", "pattern": DAY, "description": "A day of its period, as 2026-11-23. Without one it is of the newest full period."},
            },
            "required": ["name"], "additionalProperties": False,
        },
    ),
    Flow(
        "run-checks", N_("Run data checks"),
        N_("Have a suite of data checks run: one by its name, or all."),
        "check:run", "leitstand.checks.for_agents",
        {
            "type": "object",
            "properties": {"suite": {"type": "string", "minLength": 1, "maxLength": 100, "description": "The name of a suite, or all."}},
            "required": ["suite"], "additionalProperties": False,
        },
    ),
)  # fmt: skip
BY_NAME = {flow.name: flow for flow in FLOWS}


def checked(
    configuration: Mapping[str, Any], parameters: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Configuration and schema of such a tool; the schema is the flow's own, whatever is given.

    Raises:
        InvalidInput: there is no such flow.
    """
    name = str(configuration.get("flow", ""))
    if name not in BY_NAME:
        raise InvalidInput(
            msg("There is no flow {name!r}.", name=name[:50]),
            hint=msg("One of {names}.", names=", ".join(BY_NAME)),
        )
    return {"flow": name}, dict(BY_NAME[name].parameters)


def use(
    session: Session, *, principal: Principal, configuration: Mapping[str, Any], arguments: Mapping[str, Any]
) -> str:
    """Start the flow as the principal, once the caller commits; what a model is told.

    Raises:
        Forbidden: the principal may not start it.
        LeitstandError: the flow refuses.
    """
    flow = BY_NAME[configuration["flow"]]
    require(principal, flow.permission)
    module = importlib.import_module(flow.module)
    return cast(str, module.run_for_agent(session, principal=principal, arguments=arguments))
