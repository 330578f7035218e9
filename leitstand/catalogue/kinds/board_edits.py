"""Single changes of a board's document, as forms and the canvas make them."""

import secrets
from collections.abc import Callable, Mapping
from typing import Any

from leitstand.catalogue.kinds.board import HEIGHT, WIDTH
from leitstand.errors import InvalidInput
from leitstand.words import msg

Document = dict[str, Any]
Fields = Mapping[str, str]
# Where a new thing is put: beside the last one, in rows.
COLUMN, ROW, COLUMNS, MARGIN = 260, 180, 4, 40


def edited(document: Document, do: str, fields: Fields) -> Document:
    """The document after one change.

    Args:
        do: one of `CHANGES`.
        fields: what the change needs: `id`, `text`, `colour`, `x`, `y`, `item`, `from`, `to`, `label`.

    Raises:
        InvalidInput: there is no such change, or nothing of that id.
    """
    if do not in CHANGES:
        raise InvalidInput("There is no such change.")
    copy = {name: [dict(part) for part in parts] for name, parts in document.items()}
    CHANGES[do](copy, fields)
    return copy


def _add_note(board: Document, fields: Fields) -> None:
    x, y = _place(board)
    text = fields.get("text", "").strip()
    note = {"id": _new(), "text": text, "x": x, "y": y, "colour": fields.get("colour") or "yellow"}
    board["notes"].append(note)


def _add_item(board: Document, fields: Fields) -> None:
    x, y = _place(board)
    board["items"].append({"id": _new(), "item_id": fields.get("item", ""), "x": x, "y": y})


def _change_note(board: Document, fields: Fields) -> None:
    note = _found(board["notes"], fields)
    note["text"], note["colour"] = fields.get("text", "").strip(), fields.get("colour") or note["colour"]
    if fields.get("x") or fields.get("y"):
        _move(board, fields)


def _move(board: Document, fields: Fields) -> None:
    part = _found([*board["notes"], *board["items"]], fields)
    part["x"] = _bounded(fields.get("x", ""), part["x"], WIDTH)
    part["y"] = _bounded(fields.get("y", ""), part["y"], HEIGHT)


def _remove(board: Document, fields: Fields) -> None:
    gone = _found([*board["notes"], *board["items"]], fields)["id"]
    for name in ("notes", "items"):
        board[name] = [part for part in board[name] if part["id"] != gone]
    board["links"] = [link for link in board["links"] if gone not in (link["from"], link["to"])]


def _add_link(board: Document, fields: Fields) -> None:
    ends = {"from": fields.get("from", ""), "to": fields.get("to", "")}
    board["links"].append({**ends, "label": fields.get("label", "").strip()})


def _remove_link(board: Document, fields: Fields) -> None:
    gone = (fields.get("from"), fields.get("to"))
    board["links"] = [link for link in board["links"] if (link["from"], link["to"]) != gone]


def _comment(board: Document, fields: Fields) -> None:
    board["comments"].append({"id": _new(), "text": fields.get("text", "").strip()})


def _remove_comment(board: Document, fields: Fields) -> None:
    gone = _found(board["comments"], fields)
    board["comments"] = [comment for comment in board["comments"] if comment is not gone]


def _found(parts: list[dict[str, Any]], fields: Fields) -> dict[str, Any]:
    for part in parts:
        if part["id"] == fields.get("id"):
            return part
    raise InvalidInput("There is no such thing on this board.", hint="Load the page again.")


def _place(board: Document) -> tuple[int, int]:
    count = len(board["notes"]) + len(board["items"])
    x, y = MARGIN + count % COLUMNS * COLUMN, MARGIN + count // COLUMNS * ROW
    return min(x, WIDTH), min(y, HEIGHT)


def _bounded(text: str, otherwise: int, most: int) -> int:
    try:
        return max(0, min(most, round(float(text)))) if text else otherwise
    except (ValueError, OverflowError):
        raise InvalidInput(msg("{text!r} is no place on the board.", text=text[:20])) from None


def _new() -> str:
    return f"p-{secrets.token_hex(6)}"


CHANGES: dict[str, Callable[[Document, Fields], None]] = {
    "add-note": _add_note,
    "add-item": _add_item,
    "change-note": _change_note,
    "move": _move,
    "remove": _remove,
    "add-link": _add_link,
    "remove-link": _remove_link,
    "comment": _comment,
    "remove-comment": _remove_comment,
}
