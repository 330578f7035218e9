"""A destructive step is confirmed by typing the name of what it is done to, or by `--yes NAME` in automation."""

import click

from leitstand.errors import InvalidInput


def confirmed(name: str, yes: str | None, *, doing: str) -> bool:
    """Go on only when `name` was typed, or given as `yes`; gives whether a person typed it, having seen what will be done.

    Raises:
        InvalidInput: it was not, or another name was.
    """
    typed = _typed(name, doing) if yes is None else yes
    if typed != name:
        raise InvalidInput(
            f"Not confirmed: nothing was done to {name}.",
            hint=f"Type {name} when asked, or give --yes {name}.",
        )
    return yes is None


def _typed(name: str, doing: str) -> str:
    """What a person types; nothing where nobody is there."""
    try:
        return str(click.prompt(f"Type {name} to {doing}", default="", show_default=False, err=True)).strip()
    except click.Abort:
        return ""
