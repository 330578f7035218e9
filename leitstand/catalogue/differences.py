"""What differs between two documents, as people read it: fields changed, entries added, removed and moved."""

import difflib
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

# What an entry of a list is recognised by, in this order.
IDENTITIES = ("id", "item_id", "name", "value")
LONG = 100
MOST_LINES = 400


@dataclass(frozen=True)
class Difference:
    """One thing that differs.

    Args:
        what: `changed`, `added`, `removed`, `moved` or `text` (a long text, with `lines`).
        path: where, from the outside in; an entry of a list by its name.
        before: what it was; None where it was added.
        after: what it is; None where it was removed. Of what was moved the places, from 1.
        lines: of a long text the unified difference, without its head.
    """

    what: str
    path: tuple[str, ...]
    before: Any = None
    after: Any = None
    lines: tuple[str, ...] = ()


def differences(before: Any, after: Any, path: tuple[str, ...] = ()) -> Iterator[Difference]:
    """How `after` differs from `before`, both JSON values."""
    if before == after:
        return
    if isinstance(before, dict) and isinstance(after, dict):
        for name in [*before, *(name for name in after if name not in before)]:
            yield from _member(before, after, name, (*path, name))
    elif isinstance(before, list) and isinstance(after, list):
        yield from _entries(before, after, path)
    elif isinstance(before, str) and isinstance(after, str) and _long(before, after):
        yield Difference("text", path, before, after, _lines(before, after))
    else:
        yield Difference("changed", path, before, after)


def _member(
    before: dict[str, Any], after: dict[str, Any], name: str, path: tuple[str, ...]
) -> Iterator[Difference]:
    if name not in before:
        yield Difference("added", path, after=after[name])
    elif name not in after:
        yield Difference("removed", path, before=before[name])
    else:
        yield from differences(before[name], after[name], path)


def _entries(before: list[Any], after: list[Any], path: tuple[str, ...]) -> Iterator[Difference]:
    keys = _keys(before, after)
    if keys is None:
        yield Difference("changed", path, before, after)
        return
    old, new = dict(zip(keys[0], before, strict=True)), dict(zip(keys[1], after, strict=True))
    for key, entry in old.items():
        if key not in new:
            yield Difference("removed", (*path, key), before=entry)
    stayed = _stayed([key for key in keys[0] if key in new], keys[1])
    for place, key in enumerate(keys[1], start=1):
        if key not in old:
            yield Difference("added", (*path, key), after=new[key])
            continue
        if key not in stayed:
            yield Difference("moved", (*path, key), keys[0].index(key) + 1, place)
        yield from differences(old[key], new[key], (*path, key))


def _keys(before: list[Any], after: list[Any]) -> tuple[list[str], list[str]] | None:
    """By what the entries of both lists are told apart; None where they can't be."""
    both = [*before, *after]
    if all(isinstance(entry, str | int | float) for entry in both):
        found = [str(entry) for entry in before], [str(entry) for entry in after]
        return found if _unique(found) else None
    if not all(isinstance(entry, dict) for entry in both):
        return None
    if all({"from", "to"} <= set(entry) for entry in both):
        found = [_ends(entry) for entry in before], [_ends(entry) for entry in after]
        return found if _unique(found) else None
    for name in IDENTITIES:
        if all(name in entry for entry in both):
            found = [str(entry[name]) for entry in before], [str(entry[name]) for entry in after]
            if _unique(found):
                return found
    return None


def _ends(entry: dict[str, Any]) -> str:
    return f"{entry['from']} → {entry['to']}"


def _unique(found: tuple[list[str], list[str]]) -> bool:
    return all(len(set(keys)) == len(keys) for keys in found)


def _stayed(old: Sequence[str], new: Sequence[str]) -> set[str]:
    """The keys that kept their order: a longest run of them that rises in both; the others were moved."""
    places = {key: at for at, key in enumerate(old)}
    common = [key for key in new if key in places]
    ends: list[int] = []
    chains: list[list[str]] = []
    for key in common:
        at = bisect_left(ends, places[key])
        chain = [*(chains[at - 1] if at else []), key]
        ends[at : at + 1], chains[at : at + 1] = [places[key]], [chain]
    return set(chains[-1]) if chains else set()


def _long(before: str, after: str) -> bool:
    return max(len(before), len(after)) > LONG or "\n" in before or "\n" in after


def _lines(before: str, after: str) -> tuple[str, ...]:
    found = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=2)
    return tuple(found)[2 : MOST_LINES + 2]
