"""Apps: a form from their inputs, its values checked, and the agent begun with them.

Every input is a JSON Schema, a control's own or the one of its field, so that drawing, reading and checking are the same.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from leitstand.agents import starting, threads
from leitstand.catalogue import contents
from leitstand.catalogue.kinds.control import fault_of
from leitstand.catalogue.kinds.control_fields import Shown, shown
from leitstand.catalogue.kinds.control_values import UNREADABLE, from_fields, words_of
from leitstand.db.models import Item, Thread
from leitstand.errors import Conflict, InvalidInput
from leitstand.identity.access import Principal
from leitstand.words import N_, Message, msg

PREFIX = "input"
LINE, LONG = 500, 10_000
SCHEMAS: dict[str, dict[str, Any]] = {
    "text": {"type": "string", "maxLength": LINE},
    "long": {"type": "string", "maxLength": LONG},
    "number": {"type": "number"},
    "yes-no": {"type": "boolean"},
}
NEEDED = N_("is needed")


@dataclass(frozen=True)
class Asked:
    """One input of an app: its name, what people call it, and the content of the control that asks for it."""

    name: str
    label: str
    content: dict[str, Any]
    required: bool

    @property
    def schema(self) -> dict[str, Any]:
        """What a value must be."""
        schema: dict[str, Any] = self.content["schema"]
        return schema

    def fields(self, value: Any = None) -> list[Shown]:
        """Its fields in a form, with a value in them; their names begin with `input.` and its own."""
        content = self.content if value is None else self.content | {"default": value}
        drawn = [
            replace(field, name=f"{PREFIX}.{self.name}{field.name.removeprefix('value')}")
            for field in shown(content | {"direction": "input"})
        ]
        return [replace(drawn[0], required=drawn[0].required or self.required), *drawn[1:]] if drawn else []

    def fault(self, value: Any) -> Message | str | None:
        """Why a value can't be taken; None where it can, or where none is needed."""
        if value is None or value == "":
            return NEEDED if self.required else None
        if isinstance(value, str) and self.schema == SCHEMAS["long"]:
            # A control's value is far shorter: what is written here is no value of one.
            return msg("it may have at most {most:,} characters", most=LONG) if len(value) > LONG else None
        return fault_of(self.schema, value)


@dataclass(frozen=True)
class App:
    """An app as somebody may run it.

    Args:
        problem: why they can't, in words; empty where they can.
    """

    item: Item
    agent_id: UUID | None
    asked: Sequence[Asked]
    problem: str


def read(session: Session, *, principal: Principal, app_id: UUID) -> App:
    """An app with what it asks for.

    Raises:
        Forbidden: without `item:read`.
        NotFound: there is no such app that the principal may see.
    """
    found = contents.read(session, principal=principal, item_id=app_id, kind="app")
    held = found.content.document()
    agent = found.used.get(UUID(held["agent_id"])) if held["agent_id"] else None
    asked = [one for given in held["inputs"] if (one := _asked(session, found.used, given))]
    problem = ""
    if agent is None:
        problem = N_("It has no agent that you may see.")
    elif found.item.status == "archived" or agent.status == "archived":
        problem = N_("It is in the archive, or its agent is.")
    elif len(asked) < len(held["inputs"]):
        problem = N_("It asks with a control that you may not see.")
    return App(found.item, agent.id if agent else None, asked, problem)


def from_form(app: App, form: Mapping[str, list[str]]) -> dict[str, Any]:
    """The values that a form of the app's fields sends, by input; what was left empty is not among them.

    Args:
        form: every value sent under a name.
    """
    found = {one.name: from_fields(one.schema, f"{PREFIX}.{one.name}", form) for one in app.asked}
    return {name: value for name, value in found.items() if value is not None}


def checked(app: App, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Values that the app takes, by input.

    Raises:
        Conflict: the app can't be run.
        InvalidInput: one is missing, unknown, or does not fit.
    """
    if app.problem:
        raise Conflict(app.problem, hint="Ask its owner.")
    by_name = {one.name: one for one in app.asked}
    faults: list[tuple[str, str, str]] = [
        (name, name, N_("there is no such input")) for name in inputs if name not in by_name
    ]
    for name, one in by_name.items():
        value = inputs.get(name)
        fault = N_("can't be read") if value is UNREADABLE else one.fault(value)
        if fault:
            faults.append((name, one.label, fault))
    if faults:
        _, label, fault = faults[0]
        errors = [{"pointer": f"/inputs/{name}", "detail": told} for name, _, told in faults]
        raise InvalidInput(msg("{label}: {fault}.", label=label, fault=fault), details={"errors": errors})
    return {name: inputs[name] for name in by_name if inputs.get(name) not in (None, "")}


def begin(
    session: Session,
    *,
    principal: Principal,
    app_id: UUID,
    inputs: Mapping[str, Any],
    begun_by: str = "person",
    retry_of: UUID | None = None,
) -> Thread:
    """Run an app: begin a thread of its agent with what its inputs say.

    Raises:
        Conflict: the app can't be run.
        InvalidInput: an input is missing, unknown, or does not fit.
        NotFound: there is no such app that the principal may see.
        Forbidden: as `starting.begin`.
    """
    starting.require_person(principal)
    app = read(session, principal=principal, app_id=app_id)
    values = checked(app, inputs)
    assert app.agent_id is not None  # noqa: S101 - an app without one has a problem
    return starting.begin(
        session,
        principal=principal,
        agent_id=app.agent_id,
        text=told(app, values),
        inputs=values,
        app_id=app_id,
        begun_by=begun_by,
        retry_of=retry_of,
    )


def retry(session: Session, *, principal: Principal, thread_id: UUID) -> Thread:
    """Run what an ended thread was given once more, for the principal, by app and agent as they are now.

    Raises:
        as `begin` and `starting.retry`.
    """
    thread = threads.get(session, principal=principal, thread_id=thread_id)
    if thread.app_id is None:
        return starting.retry(session, principal=principal, thread_id=thread_id)
    starting.require_ended(thread)
    inputs = thread.input.get("inputs") or {}
    return begin(session, principal=principal, app_id=thread.app_id, inputs=inputs, retry_of=thread.id)


def told(app: App, values: Mapping[str, Any]) -> str:
    """What the agent is asked: each input with its label, as people read it; the app's own words where it has none."""
    lines = [f"{one.label}: {_words(values[one.name])}" for one in app.asked if one.name in values]
    return "\n".join(lines) or app.item.description or app.item.title


def _words(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else words_of(value)


def _asked(session: Session, used: Mapping[UUID, Item], given: dict[str, Any]) -> Asked | None:
    """An input as a control; None where its control is not the reader's to see."""
    label = given["label"] or given["name"]
    if given["field"] == "control":
        control = used.get(UUID(given["control_id"])) if given["control_id"] else None
        if control is None:
            return None
        content = contents.stored(session, control).document()
        content = content | {"ui": content["ui"] | {"label": content["ui"]["label"] or label}}
        return Asked(given["name"], label, content, given["required"])
    choice = {"enum": given["options"]} if given["field"] == "choice" else None
    ui = {"label": label, "help": "", "placeholder": "", "widget": "auto"}
    content = {"schema": choice or SCHEMAS[given["field"]], "ui": ui, "default": None, "example": None}
    return Asked(given["name"], label, content, given["required"])
