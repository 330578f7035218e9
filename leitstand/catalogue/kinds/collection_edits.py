"""Single changes of a collection's document, as buttons make them."""

from typing import Any

from leitstand.errors import InvalidInput

STEPS = {"up": -1, "down": 1}


def edited(document: dict[str, Any], *, do: str, entry: str, note: str = "") -> dict[str, Any]:
    """The document after one change.

    Args:
        do: add, remove, up, down, or note.
        entry: the id of the item.
        note: what `add` and `note` write beside it.

    Raises:
        InvalidInput: there is no such change, or no such entry.
    """
    entries = [dict(one) for one in document["entries"]]
    ids = [one["item_id"] for one in entries]
    if do == "add":
        if entry in ids:
            raise InvalidInput("It stands in this collection already.")
        return {**document, "entries": [*entries, {"item_id": entry, "note": note.strip()}]}
    if entry not in ids:
        raise InvalidInput("There is no such entry.", hint="Load the page again.")
    at = ids.index(entry)
    if do == "remove":
        del entries[at]
    elif do == "note":
        entries[at]["note"] = note.strip()
    elif do in STEPS:
        entries.insert(max(0, min(len(entries) - 1, at + STEPS[do])), entries.pop(at))
    else:
        raise InvalidInput("There is no such change.")
    return {**document, "entries": entries}
