"""Who may ask for what: every route of the pages and of the API with what it needs, read from `permission_matrix.json`.

The code refuses, not this list; a test holds the two against each other for every route and role, so that the list can
be read instead of the code.
"""

import json
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from leitstand.identity.access import EXTERNAL, PERMISSIONS

ANYONE, SIGNED_IN, OWNERS = "anyone", "signed in", "reserved for owners"
OF_MEMBERS = ", of members"
OWNER = "owner"
PLACE = Path(__file__).with_suffix(".json")


@dataclass(frozen=True)
class Need:
    """What a route needs: `choices` are sets of permissions of which one is enough; the rest says who besides.

    Args:
        text: as the matrix has it.
        item: the address names an item, which people from outside see where it is shared with them only.
    """

    text: str
    item: bool

    @property
    def choices(self) -> tuple[frozenset[str], ...]:
        """The sets of permissions; one that is empty where being signed in is enough."""
        if self.text in {ANYONE, SIGNED_IN, OWNERS}:
            return (frozenset(),)
        named = self.text.removesuffix(OF_MEMBERS)
        return tuple(frozenset(one.split(" + ")) for one in named.split(" or "))

    @property
    def anyone(self) -> bool:
        """Whether it is open to people who are not signed in."""
        return self.text == ANYONE

    @property
    def granted(self) -> bool:
        """Whether people from outside need a grant besides."""
        return self.item and any(self.choices)

    def holds(self, role: str, permissions: Collection[str]) -> bool:
        """Whether a role with these permissions is let in; somebody from outside without a grant."""
        if self.text == OWNERS:
            return role == OWNER
        if role == EXTERNAL and (self.granted or self.text.endswith(OF_MEMBERS)):
            return False
        return any(choice <= set(permissions) for choice in self.choices)

    def shared(self, role: str, permissions: Collection[str]) -> bool:
        """Whether somebody from outside is let in to what is shared with them, for reading."""
        return role == EXTERNAL and self.granted and any(one <= set(permissions) for one in self.choices)


@lru_cache(maxsize=1)
def matrix() -> dict[str, dict[tuple[str, str], Need]]:
    """Of the pages (`web`) and the API (`api`): method and path of each route -> what it needs."""
    found: dict[str, dict[str, str]] = json.loads(PLACE.read_text())
    return {
        name: {_route(key): _need(key, text) for key, text in rows.items()} for name, rows in found.items()
    }


def _route(key: str) -> tuple[str, str]:
    method, _, path = key.partition(" ")
    return method, path


def _need(key: str, text: str) -> Need:
    need = Need(text, "{item_id}" in key or "{space_id}" in key)
    unknown = frozenset[str]().union(*need.choices) - PERMISSIONS.keys()
    if unknown:
        raise ValueError(f"{key} needs {sorted(unknown)}, which are no permissions")
    return need
