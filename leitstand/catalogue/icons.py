"""The icons that an item can have instead of that of its kind: names in the sprite, and what is on them."""

from leitstand.errors import InvalidInput
from leitstand.words import N_, msg

ICONS = {
    "assistant": N_("Spark"),
    "audit": N_("Log"),
    "billing": N_("Card"),
    "board": N_("Board"),
    "clock": N_("Clock"),
    "collection": N_("Collection"),
    "companion": N_("Companion"),
    "conversation": N_("Conversation"),
    "drill": N_("Shield"),
    "groups": N_("Groups"),
    "home": N_("House"),
    "insights": N_("Chart"),
    "integration": N_("Plug"),
    "link": N_("Chain"),
    "ok": N_("Tick"),
    "operations": N_("Pulse"),
    "profile": N_("Person"),
    "search": N_("Magnifier"),
    "space": N_("Space"),
    "star": N_("Star"),
    "tool": N_("Wrench"),
    "warning": N_("Warning"),
}


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
