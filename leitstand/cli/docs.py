"""leitstand docs: the reference pages that are written from the code, so that they can't be stale."""

import importlib
import pkgutil
from pathlib import Path

import click

from leitstand import errors
from leitstand.errors import Conflict, LeitstandError
from leitstand.settings import REPOSITORY, Settings

REFERENCE = REPOSITORY / "docs" / "reference"
NOTE = "<!-- Written by `./run docs write` from the code; edit the code. -->\n"


@click.group(name="docs")
def group() -> None:
    """The reference pages of the documentation."""


@group.command()
@click.option("--check", is_flag=True, help="Write nothing; fail when a page differs from the code.")
def write(check: bool) -> None:
    """Write docs/reference from settings, errors and commands."""
    stale = []
    for name, text in pages().items():
        path = REFERENCE / name
        if path.exists() and path.read_text() == text:
            continue
        stale.append(name)
        if not check:
            REFERENCE.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    if check and stale:
        raise Conflict(f"Stale reference pages: {', '.join(stale)}.", hint="Run ./run docs write and commit.")
    click.echo(f"{len(stale)} pages written" if stale else "every page is up to date", err=True)


def pages() -> dict[str, str]:
    """File name -> text of every reference page."""
    return {"settings.md": settings_page(), "errors.md": errors_page(), "commands.md": commands_page()}


def settings_page() -> str:
    """Every setting, its default and what it is for."""
    rows = ["| setting | default | what it is |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        variable = field.alias or f"LEITSTAND_{name.upper()}"
        rows.append(f"| `{variable}` | {_default(field.default)} | {field.description} |")
    intro = ((Settings.__module__ and importlib.import_module(Settings.__module__).__doc__) or "").strip()
    return f"# Settings\n{NOTE}\n{intro}\n\n" + "\n".join(rows) + "\n"


def _default(value: object) -> str:
    text = str(value)
    if isinstance(value, Path) and value.is_relative_to(REPOSITORY):
        text = f"<repository>/{value.relative_to(REPOSITORY)}"
    return f"`{text}`" if text else "(empty)"


def errors_page() -> str:
    """Every kind of error, its HTTP status and the command line's exit code."""
    rows = ["| type | HTTP status | exit code | meaning |", "|---|---|---|---|"]
    kinds: list[type[LeitstandError]] = [LeitstandError, *_subclasses(LeitstandError)]
    for error in kinds:
        meaning = " ".join((error.__doc__ or "").split("\n\n")[0].split())
        rows.append(
            f'| <a id="{error.kind}"></a>`{error.kind}` | {error.status} | {error.exit_code} | {meaning} |'
        )
    return (
        f"# Errors\n{NOTE}\nEvery answer that is an error is a problem document (RFC 9457); `type` ends with one of these.\n\n"
        + "\n".join(rows)
        + "\n"
    )


def _subclasses(root: type[LeitstandError]) -> list[type[LeitstandError]]:
    defined = [
        value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, root)
    ]
    return [value for value in defined if value is not root]


def commands_page() -> str:
    """Every command with its help."""
    import leitstand.cli as package

    parts = [f"# Commands\n{NOTE}\nEach is run as `./run …`.\n"]
    for module in sorted(pkgutil.iter_modules(package.__path__), key=lambda found: found.name):
        if not module.name.startswith("_"):
            command = importlib.import_module(f"{package.__name__}.{module.name}").group
            parts += _described(command, module.name.replace("_", "-"))
    return "\n".join(parts)


def _described(command: click.Command, path: str) -> list[str]:
    if command.hidden:
        return []
    context = click.Context(command, info_name=f"./run {path}", max_content_width=100, terminal_width=100)
    if isinstance(command, click.Group):
        inner = [
            part
            for name in sorted(command.commands)
            for part in _described(command.commands[name], f"{path} {name}")
        ]
        return [f"## {path}\n{command.help or ''}\n", *inner]
    return [f"### {path}\n```\n{command.get_help(context)}\n```\n"]
