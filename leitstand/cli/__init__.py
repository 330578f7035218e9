"""leitstand <noun> <verb>: a module a noun, found by its file's name, imported only when it is asked for."""

import importlib
import pkgutil
import sys

import click

from leitstand.errors import LeitstandError


class Nouns(click.Group):
    """The command groups of this package: `backup.py` with a `group` is `leitstand backup`; `open_page.py` is `leitstand open-page`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_nouns())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        module = _nouns().get(cmd_name)
        if module is None:
            return None
        group: click.Command = importlib.import_module(module).group
        return group


def _nouns() -> dict[str, str]:
    """Noun -> module; a module's noun is its name with hyphens, so that no module is imported to list them."""
    found = {}
    for module in pkgutil.iter_modules(__path__):
        if not module.name.startswith("_"):
            found[module.name.replace("_", "-")] = f"{__name__}.{module.name}"
    return found


def main(arguments: list[str] | None = None) -> None:
    """Run one command: errors are one line and a hint on standard error, and an exit code that means it."""
    nouns = Nouns(
        help="Leitstand: admin, insights and operations.",
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    try:
        sys.exit(nouns.main(args=arguments, prog_name="leitstand", standalone_mode=False) or 0)
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.Abort:
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except LeitstandError as error:
        click.echo(f"error: {error.message}", err=True)
        if error.hint:
            click.echo(f"hint: {error.hint}", err=True)
        sys.exit(error.exit_code)
