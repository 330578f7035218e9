"""leitstand docs: the reference pages that are written from the code, so that they can't be stale."""

import importlib
import pkgutil
from pathlib import Path

import click
from pydantic import SecretStr

from leitstand import errors
from leitstand.errors import Conflict, LeitstandError
from leitstand.identity.access import PERMISSIONS, ROLES
from leitstand.identity.permission_matrix import Need, matrix
from leitstand.settings import REPOSITORY, Settings

REFERENCE = REPOSITORY / "docs" / "reference"
EXAMPLE = REPOSITORY / ".env.example"
EXAMPLE_INTRO = """
# Every setting with its default: written by `./run docs write` from the code; edit the code.
# Copy what differs into `.env` beside the Compose files, or into the environment. `.env` is never committed.
# Secrets do not belong here: each is a file of its name (lower case) in the folder of secrets, mode 0600.
""".strip()
NOTE = "<!-- Written by `./run docs write` from the code; edit the code. -->\n"

PERMISSIONS_INTRO = """
What each built-in role may do, and what each page and endpoint needs. A role of the workspace's own may do whatever
its permissions say in the same tables. `+`: all of them are needed. A test asks for every address as every role.

- *anyone*: without signing in; some have a link or a code of their own as proof. *signed in*: whoever has a place.
- *of members*: not of people from outside, who see what is shared with them and nothing else (*where shared*).
- Who may open an item is not who may change it: whoever may write changes what is open to the workspace and their own;
  a grant to edit holds for whoever has it. Items are shared by their owner, or by owners and admins.
- Actions on many items at once, and imports, ask for each item what its own address asks for. To move a published item
  to the trash, `item:publish` is needed as well.
- Nobody gives, changes or takes away more permissions than they have, of roles, people and invitations.
- An API token does no more than its owner may, and nothing that only a person may.
""".strip()


@click.group(name="docs")
def group() -> None:
    """The reference pages of the documentation."""


@group.command()
@click.option("--check", is_flag=True, help="Write nothing; fail when a page differs from the code.")
def write(check: bool) -> None:
    """Write docs/reference and .env.example from settings, errors and commands."""
    stale = []
    written = {REFERENCE / name: text for name, text in pages().items()} | {EXAMPLE: example()}
    for path, text in written.items():
        if path.exists() and path.read_text() == text:
            continue
        stale.append(path.name)
        if not check:
            REFERENCE.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    if check and stale:
        raise Conflict(f"Stale reference pages: {', '.join(stale)}.", hint="Run ./run docs write and commit.")
    click.echo(f"{len(stale)} pages written" if stale else "every page is up to date", err=True)


def pages() -> dict[str, str]:
    """File name -> text of every reference page."""
    return {
        "settings.md": settings_page(),
        "errors.md": errors_page(),
        "commands.md": commands_page(),
        "permissions.md": permissions_page(),
    }


def settings_page() -> str:
    """Every setting, its default and what it is for."""
    rows = ["| setting | default | what it is |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        variable = field.alias or f"LEITSTAND_{name.upper()}"
        rows.append(f"| `{variable}` | {_default(field.default)} | {field.description} |")
    intro = ((Settings.__module__ and importlib.import_module(Settings.__module__).__doc__) or "").strip()
    return f"# Settings\n{NOTE}\n{intro}\n\n" + "\n".join(rows) + "\n"


def example() -> str:
    """`.env.example`: every setting with what it is, commented out; of secrets only the file's name."""
    parts = [EXAMPLE_INTRO]
    for name, field in Settings.model_fields.items():
        variable = field.alias or f"LEITSTAND_{name.upper()}"
        if isinstance(field.default, SecretStr):
            parts.append(f"# {field.description}\n# a secret: secrets/{variable.lower()}")
            continue
        default = "" if isinstance(field.default, Path) else str(field.default)
        shown = f"'{default}'" if set(default) & set(" ;#<>") else default
        parts.append(f"# {field.description}\n#{variable}={shown}")
    return "\n\n".join(parts) + "\n"


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


def permissions_page() -> str:
    """What each built-in role may do, and what each page and endpoint needs."""
    parts = [f"# Permissions\n{NOTE}\n{PERMISSIONS_INTRO}\n", "## Roles\n", *_roles_table()]
    for name, title in (("web", "Pages"), ("api", "API")):
        parts += [f"\n## {title}\n", *_routes_table(matrix()[name])]
    return "\n".join(parts) + "\n"


def _roles_table() -> list[str]:
    rows = _head("permission", "what it lets do")
    for name, deed in PERMISSIONS.items():
        held = ["yes" if name in permissions else "" for permissions in ROLES.values()]
        rows.append(_row(f"`{name}`", deed, *held))
    return rows


def _routes_table(needs: dict[tuple[str, str], Need]) -> list[str]:
    rows = _head("address", "needs")
    for (method, path), need in sorted(needs.items(), key=lambda found: (found[0][1], found[0][0])):
        held = [
            "yes"
            if need.holds(role, permissions)
            else "where shared"
            if need.shared(role, permissions)
            else ""
            for role, permissions in ROLES.items()
        ]
        rows.append(_row(f"{method} `{path}`", need.text, *held))
    return rows


def _head(*first: str) -> list[str]:
    return [_row(*first, *ROLES), _row(*["---"] * (len(first) + len(ROLES)))]


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


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
