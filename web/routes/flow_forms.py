"""The form of one step of a flow: what is chosen from, and what it sends as the step's members."""

from collections.abc import Callable
from typing import Any

from sqlalchemy.orm import Session
from starlette.datastructures import FormData

from leitstand.catalogue.listing import LARGEST_PAGE, Filters, find
from leitstand.companions.flow import Flow
from leitstand.companions.steps import KINDS
from leitstand.errors import InvalidInput
from leitstand.identity import groups, members
from leitstand.identity.access import Principal
from leitstand.words import N_, msg
from web.routes.items.kind import text_of, texts_of

KIND_TITLES = {
    "message": N_("Message"), "question": N_("Question"), "choice": N_("Choice"), "input": N_("Input"),
    "condition": N_("Condition"), "set": N_("Set"), "ask": N_("Ask a space"), "handover": N_("Hand over"),
    "end": N_("End"),
}  # fmt: skip
KIND_HELP = {
    "message": N_("Words that are shown; the run goes on at once."),
    "question": N_("Waits for an answer in the visitor's own words."),
    "choice": N_("Waits for one of its options, each of which may lead elsewhere."),
    "input": N_("Waits for a value that is asked for through a control."),
    "condition": N_("Tests what was answered or set; the first test that holds says where the run goes on."),
    "set": N_("Remembers a value under a name, or adds a number to it."),
    "ask": N_("Waits for the visitor's question and answers it from a space, with its sources."),
    "handover": N_("Closes the run and gives it to a person or a group."),
    "end": N_("Closes the run."),
}
KIND_ICONS = {
    "message": "conversation", "question": "edit", "choice": "thread", "input": "control", "condition": "next",
    "set": "plus", "ask": "space", "handover": "groups", "end": "ok",
}  # fmt: skip
OPERATOR_TITLES = {
    "equals": N_("is"), "differs": N_("is not"), "contains": N_("contains"), "empty": N_("is empty"),
    "filled": N_("is not empty"), "less": N_("is less than"), "at_most": N_("is at most"),
    "at_least": N_("is at least"), "more": N_("is more than"),
}  # fmt: skip
SPARE_ROWS = 3
WITHOUT_TEXT = ("condition", "set")
PLAIN_LENGTH = "1000"


def new_step(kind: str) -> dict[str, Any]:
    """The members of a step that is still to be filled in.

    Raises:
        InvalidInput: there is no such kind.
    """
    if kind not in KINDS:
        raise InvalidInput(
            msg("There is no kind {kind!r} of step.", kind=kind[:40]),
            hint=msg("Kinds are: {kinds}.", kinds=", ".join(KINDS)),
        )
    return {"kind": kind, "name": ""}


def step_from(form: FormData) -> dict[str, Any]:
    """The members of a step as its form sends them; fields left empty are left out, so that the flow says what lacks.

    A number that is none stays as it was typed, for the form and for `checked`.

    Raises:
        InvalidInput: there is no such kind.
    """
    step = new_step(text_of(form, "kind")) | {"name": text_of(form, "name").strip()}
    kind = step["kind"]
    if kind not in WITHOUT_TEXT:
        step["text"] = text_of(form, "text").replace("\r\n", "\n").strip()
    step |= _members(kind, form)
    for name in ("next", "unanswered"):
        if value := text_of(form, name).strip():
            step[name] = value
    return step


def checked(step: dict[str, Any]) -> dict[str, Any]:
    """The step as it is, once its numbers are some.

    Raises:
        InvalidInput: one is none.
    """
    if isinstance(step.get("max_length"), str):
        raise InvalidInput("The longest answer is no number.", hint="Write it in digits, such as 500.")
    return step


def _members(kind: str, form: FormData) -> dict[str, Any]:
    """What only steps of a kind have."""
    made = MEMBERS.get(kind)
    return made(form) if made else {}


def _needed(form: FormData) -> dict[str, Any]:
    return {} if text_of(form, "required") else {"required": False}


def _question(form: FormData) -> dict[str, Any]:
    return _needed(form) | ({"long": True} if text_of(form, "long") else {}) | _length(form)


def _set(form: FormData) -> dict[str, Any]:
    added = {"operation": "add"} if text_of(form, "operation") == "add" else {}
    return {"variable": text_of(form, "variable").strip(), "value": text_of(form, "value")} | added


def _addressee(form: FormData) -> dict[str, Any]:
    who, _, which = text_of(form, "to").partition(":")
    return {who: which} if who in ("person", "group") and which else {}


def _length(form: FormData) -> dict[str, int | str]:
    length = text_of(form, "max_length").strip()
    if length in ("", PLAIN_LENGTH):
        return {}
    is_number = length.isascii() and length.isdigit() and len(length) <= 9
    return {"max_length": int(length) if is_number else length}


def _rows(form: FormData, *names: str) -> list[tuple[str, ...]]:
    """Fields that stand several times, row by row."""
    return list(zip(*(texts_of(form, name) for name in names), strict=False))


def _options(form: FormData) -> list[dict[str, str]]:
    found = []
    for row in _rows(form, "option-value", "option-label", "option-next"):
        value, label, following = (field.strip() for field in row)
        if value or label or following:
            value = value or label
            given = {"value": value, "label": label if label != value else "", "next": following}
            found.append({name: text for name, text in given.items() if text})
    return found


def _branches(form: FormData) -> list[dict[str, str]]:
    rows = _rows(form, "test-variable", "test-operator", "test-value", "test-next")
    return [
        {"variable": variable.strip(), "operator": operator, "value": value, "next": following.strip()}
        for variable, operator, value, following in rows
        if variable.strip() or value or following.strip()
    ]


MEMBERS: dict[str, Callable[[FormData], dict[str, Any]]] = {
    "question": _question,
    "choice": lambda form: {"options": _options(form)},
    "input": lambda form: {"control": text_of(form, "control")} | _needed(form),
    "ask": lambda form: {"space": text_of(form, "space")},
    "condition": lambda form: {"branches": _branches(form)},
    "set": _set,
    "handover": _addressee,
}


def choices(session: Session, principal: Principal, flow: Flow | None, kind: str) -> dict[str, Any]:
    """What a step's form chooses from: names of steps and variables; controls, spaces, people or groups."""
    found: dict[str, Any] = {
        "names": list(flow.by_name) if flow else [], "variables": sorted(flow.variables) if flow else [],
    }  # fmt: skip
    if kind in ("input", "ask"):
        wanted = Filters(kind="control" if kind == "input" else "space", sort="title")
        found["items"] = find(session, principal=principal, filters=wanted, limit=LARGEST_PAGE).items
    if kind == "handover":
        found["people"], found["people_groups"] = _addressees(session, principal)
    return found


def _addressees(
    session: Session, principal: Principal
) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Whom a run can be handed over to, as the form sends it, with names; only oneself without `item:share`."""
    if not principal.may("item:share"):
        return [(f"person:{principal.person_id}", principal.name)] if principal.person_id else [], []
    people = [(f"person:{one.id}", one.name) for one in members.colleagues(session, principal=principal)]
    named = groups.group_names(session, principal=principal)
    return people, [(f"group:{group_id}", name) for group_id, name in named]
