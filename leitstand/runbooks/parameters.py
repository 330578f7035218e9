"""The parameters of a notebook: what its `parameters` cell names, with the types of its defaults.

Papermill itself takes unknown names with a warning and any type; so both are refused here, before anything runs.
"""

import ast
from collections.abc import Mapping
from typing import Any

from leitstand.errors import InvalidInput
from leitstand.words import msg

SECRET_WORDS = ("password", "passwd", "secret", "token", "private", "credential", "api_key", "access_key")
Value = str | int | float | bool


def declared(notebook: Any) -> dict[str, Value]:
    """Names and defaults of the one cell tagged `parameters`.

    Raises:
        InvalidInput: there is not exactly one such cell, or it holds anything but plain assignments.
    """
    cells = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    if len(cells) != 1:
        raise InvalidInput(
            msg("The notebook has {cells} cells tagged `parameters`; it needs one.", cells=len(cells))
        )
    found: dict[str, Value] = {}
    for statement in ast.parse(cells[0].source).body:
        name, value = _assignment(statement)
        found[name] = value
    return found


def _assignment(statement: ast.stmt) -> tuple[str, Value]:
    if (
        isinstance(statement, ast.Assign)
        and len(statement.targets) == 1
        and isinstance(statement.targets[0], ast.Name)
    ):
        try:
            value = ast.literal_eval(statement.value)
        except ValueError:
            value = None
        if isinstance(value, str | int | float | bool):
            return statement.targets[0].id, value
    raise InvalidInput(
        msg(
            "The parameters cell may only assign plain values: {statement!r}.",
            statement=ast.unparse(statement),
        )
    )


def checked(notebook: Any, given: dict[str, object]) -> dict[str, Value]:
    """The given parameters as their declared types; text is converted, as it comes from the command line.

    Raises:
        InvalidInput: an unknown name, a value of another type, or a name that asks for a secret.
    """
    known = declared(notebook)
    for name in [*known, *given]:
        if any(word in name.lower() for word in SECRET_WORDS):
            raise InvalidInput(
                msg("The parameter {name!r} asks for a secret.", name=name),
                hint="A notebook reads secrets from the settings; parameters stay in the evidence.",
            )
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise InvalidInput(
            msg("The notebook has no parameter {repr}.", repr=", ".join(map(repr, unknown))),
            hint=msg("Known: {known}.", known=", ".join(known) or "none"),
        )
    return {name: _converted(name, value, known[name]) for name, value in given.items()}


def for_real(values: Mapping[str, object]) -> bool:
    """Whether a run with these parameters writes: they name the plan of a dry run, or say that it is none."""
    return bool(values.get("plan_sha256")) or str(values.get("dry_run", "")).lower() == "false"


def _converted(name: str, value: object, default: Value) -> Value:
    wanted = type(default)
    if type(value) is wanted:
        return value
    try:
        if wanted is bool and str(value).lower() in {"true", "false"}:
            return str(value).lower() == "true"
        if wanted in {int, float} and not isinstance(value, bool):
            return wanted(str(value))
    except ValueError:
        pass
    raise InvalidInput(
        msg(
            "The parameter {name!r} must be of the type {kind}, not {value!r}.",
            name=name,
            kind=wanted.__name__,
            value=value,
        )
    )
