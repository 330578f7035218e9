"""The icons that an item can have instead of that of its kind: names in the sprite."""

from leitstand.errors import InvalidInput
from leitstand.words import msg

ICONS = (
    "assistant", "audit", "billing", "board", "clock", "collection", "companion", "conversation", "drill", "groups",
    "home", "insights", "integration", "link", "ok", "operations", "profile", "search", "space", "star", "tool", "warning",
)  # fmt: skip


def checked_icon(icon: str) -> str:
    """The icon's name; empty stands for that of the kind.

    Raises:
        InvalidInput: there is no such icon.
    """
    if icon and icon not in ICONS:
        raise InvalidInput(
            msg("There is no icon {icon!r}.", icon=icon[:40]),
            hint=msg("It is one of: {icons}.", icons=", ".join(ICONS)),
        )
    return icon
