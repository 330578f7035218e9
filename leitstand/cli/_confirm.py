"""The word that a person types before something is taken away."""

import click

from leitstand.errors import InvalidInput


def confirm(question: str, name: str, given: str | None) -> None:
    """Go on only if the person has typed `name`, now or as an option (`given`).

    Raises:
        InvalidInput: something else was typed; nothing was done.
    """
    if given is None:
        click.echo(question, err=True)
        given = click.prompt(f"Type {name} to go on", default="", show_default=False, err=True)
    if given != name:
        raise InvalidInput(f"{given!r} is not {name!r}: nothing was done.", hint=f"Give --yes {name}.")
