"""What an item holds as the fields of a form, and back."""

import json
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

from starlette.datastructures import FormData

from leitstand.errors import InvalidInput
from leitstand.words import msg
from web.routes.items.kind import text_of, texts_of

BLANK_INPUT = {"name": "", "label": "", "field": "text", "options": "", "control_id": "", "required": ""}
Fields = dict[str, Any]
LIMITS = ("steps", "seconds", "tokens")
MILLION = 1_000_000


def fields_of(kind: str, document: dict[str, Any]) -> Fields:
    """The values of a kind's form for what an item holds."""
    return _SHOWN[kind](document) if kind in _SHOWN else {}


def typed(kind: str, form: FormData) -> Fields:
    """The values of a kind's form as they were typed."""
    return _TYPED[kind](form) if kind in _TYPED else {}


def content_of(kind: str, fields: Fields) -> dict[str, Any] | None:
    """What the item is to hold; None where the kind has no fields in its form.

    Raises:
        InvalidInput: a field that is JSON can't be read.
    """
    return _MEANT[kind](fields) if kind in _MEANT else None


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def _agent_shown(document: dict[str, Any]) -> Fields:
    return {
        "instructions": document["instructions"],
        "tools": document["tools"],
        "spaces": document["spaces"],
        "model": document["model"],
        "provenance_text": document["provenance"]["text"],
        "provenance_url": document["provenance"]["url"],
        "questions": "\n".join(document["questions"]),
        **_limits_shown(document["limits"]),
    }


def _limits_shown(limits: dict[str, int]) -> Fields:
    """Limits as fields; the cost, which is kept in millionths, in whole units."""
    cost = limits["cost"]
    shown = {f"limit_{name}": str(limits[name]) for name in LIMITS}
    return shown | {"limit_cost": f"{Decimal(cost) / MILLION:f}" if cost else ""}


def _limits_meant(fields: Fields) -> dict[str, Any]:
    """What was typed; the kind says what is wrong with it. A field that is not there keeps what is usual."""
    given = {name: text for name in LIMITS if (text := fields[f"limit_{name}"].strip())}
    cost = fields["limit_cost"].strip().replace(",", ".")
    if cost:
        given["cost"] = _millionths(cost)
    return given


def _millionths(text: str) -> int:
    try:
        amount = Decimal(text)
        if amount.is_finite() and 0 <= amount < MILLION:
            return int(amount * MILLION)
    except InvalidOperation:
        pass
    raise InvalidInput("The cost is no amount.", hint="Write it as 0.50, or leave it empty.")


def _agent_typed(form: FormData) -> Fields:
    names = ["instructions", "model", "provenance_text", "provenance_url", "questions", "limit_cost"]
    names += [f"limit_{name}" for name in LIMITS]
    chosen = {name: texts_of(form, name) for name in ("tools", "spaces")}
    return {name: text_of(form, name) for name in names} | chosen


def _agent_meant(fields: Fields) -> dict[str, Any]:
    return {
        "instructions": fields["instructions"],
        "tools": fields["tools"],
        "spaces": fields["spaces"],
        "model": fields["model"].strip(),
        "limits": _limits_meant(fields),
        "provenance": {"text": fields["provenance_text"].strip(), "url": fields["provenance_url"].strip()},
        "questions": _lines(fields["questions"]),
    }


def _app_shown(document: dict[str, Any]) -> Fields:
    inputs = [
        {
            "name": given["name"], "label": given["label"], "field": given["field"], "options": "\n".join(given["options"]),
            "control_id": given["control_id"] or "", "required": "yes" if given["required"] else "",
        }
        for given in document["inputs"]
    ]  # fmt: skip
    return {"agent_id": document["agent_id"] or "", "output": document["output"], "inputs": inputs}


def _app_typed(form: FormData) -> Fields:
    columns = [texts_of(form, f"input_{name}") for name in BLANK_INPUT]
    rows = [dict(zip(BLANK_INPUT, values, strict=True)) for values in zip(*columns, strict=False)]
    inputs = [row for row in rows if row["name"].strip() or row["label"].strip()]
    if text_of(form, "do") == "add-input":
        inputs.append(dict(BLANK_INPUT))
    return {
        "agent_id": text_of(form, "agent_id"),
        "output": text_of(form, "output") or "text",
        "inputs": inputs,
    }


def _app_meant(fields: Fields) -> dict[str, Any]:
    inputs = [
        {
            "name": given["name"].strip() or _key(given["label"]),
            "label": given["label"].strip(),
            "field": given["field"],
            "options": _lines(given["options"]) if given["field"] == "choice" else [],
            "control_id": (given["control_id"] or None) if given["field"] == "control" else None,
            "required": given["required"] == "yes",
        }
        for given in fields["inputs"]
    ]
    return {"agent_id": fields["agent_id"] or None, "output": fields["output"], "inputs": inputs}


def _key(label: str) -> str:
    plain = "".join(c if c.isascii() and c.isalnum() else "-" for c in label.lower())
    return "-".join(part for part in plain.split("-") if part)[:40].strip("-")


def _control_shown(document: dict[str, Any]) -> Fields:
    values = {name: _written(document[name]) for name in ("default", "example")}
    schema = json.dumps(document["schema"], ensure_ascii=False, indent=2)
    hints = {name: document["ui"][name] for name in ("widget", "label", "help", "placeholder")}
    return {"direction": document["direction"], "schema": schema, **hints, **values}


def _control_typed(form: FormData) -> Fields:
    names = ("direction", "schema", "widget", "label", "help", "placeholder", "default", "example")
    return {name: text_of(form, name) for name in names}


def _control_meant(fields: Fields) -> dict[str, Any]:
    hints = {name: fields[name].strip() for name in ("widget", "label", "help", "placeholder")}
    return {
        "direction": fields["direction"] or "input",
        "schema": _json(fields["schema"], "schema") if fields["schema"].strip() else {"type": "string"},
        "ui": hints | {"widget": hints["widget"] or "auto"},
        "default": _value(fields["default"], "default"),
        "example": _value(fields["example"], "example"),
    }


def _written(value: Any) -> str:
    return "" if value is None else json.dumps(value, ensure_ascii=False)


def _value(text: str, name: str) -> Any:
    return _json(text, name) if text.strip() else None


def _json(text: str, name: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise InvalidInput(
            msg("The {name} is no JSON: {where}: {msg}.", name=name, where=where, msg=error.msg),
            hint='A text stands in quotes: "like this".',
        ) from None
    except (RecursionError, ValueError):
        raise InvalidInput(msg("The {name} is nested too deeply.", name=name)) from None


def _space_shown(document: dict[str, Any]) -> Fields:
    return {"sources": document["sources"]}


def _space_typed(form: FormData) -> Fields:
    return {"sources": text_of(form, "sources")}


def _space_meant(fields: Fields) -> dict[str, Any]:
    return {"sources": fields["sources"].strip()}


_SHOWN: dict[str, Callable[[dict[str, Any]], Fields]] = {
    "agent": _agent_shown, "app": _app_shown, "control": _control_shown, "space": _space_shown,
}  # fmt: skip
_TYPED: dict[str, Callable[[FormData], Fields]] = {
    "agent": _agent_typed, "app": _app_typed, "control": _control_typed, "space": _space_typed,
}  # fmt: skip
_MEANT: dict[str, Callable[[Fields], dict[str, Any]]] = {
    "agent": _agent_meant, "app": _app_meant, "control": _control_meant, "space": _space_meant,
}  # fmt: skip
