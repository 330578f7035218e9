"""What a release knows of the schema, read from its migration files without running them, and what its migrations do.

An earlier release can run on a newer schema when everything that came after it only added: tables, indexes, columns that may
be left out. What can't be told from the file is named, for a person to read; who has read it says so in the migration, as
`compatible = "why an earlier release goes on working"`. Such a migration expands; every other that narrows contracts, and waits
until no earlier release runs any more.
"""

import ast
from dataclasses import dataclass
from pathlib import Path

from leitstand.errors import NotFound
from leitstand.words import msg

VERSIONS = Path("leitstand") / "db" / "migrations" / "versions"


@dataclass(frozen=True)
class Migration:
    """One migration.

    Args:
        narrows: what it does that is more than adding, in words; empty: an earlier release can run on what it leaves.
        compatible: why an earlier release can run on it all the same, as its author says; empty: nobody does.
    """

    revision: str
    down_revision: str
    title: str
    narrows: tuple[str, ...]
    compatible: str = ""

    @property
    def contracts(self) -> bool:
        """Whether an earlier release may not go on while it is applied."""
        return bool(self.narrows) and not self.compatible


def history(checkout: Path) -> list[Migration]:
    """The migrations of a checkout, the oldest first.

    Raises:
        NotFound: it has none, or they are no chain.
    """
    known = {one.down_revision: one for one in map(_read, sorted((checkout / VERSIONS).glob("*.py"))) if one}
    chain: list[Migration] = []
    while (following := known.get(chain[-1].revision if chain else "")) is not None:
        chain.append(following)
    if not chain or len(chain) != len(known):
        raise NotFound(
            msg("{checkout} has no chain of migrations.", checkout=checkout),
            hint="Is it a checkout of this product?",
        )
    return chain


def since(newer: list[Migration], revision: str) -> list[Migration]:
    """The migrations after a revision; all of them where it is empty."""
    places = [number for number, one in enumerate(newer) if one.revision == revision]
    return newer[places[0] + 1 :] if places else newer


def _read(path: Path) -> Migration | None:
    tree = ast.parse(path.read_text())
    values = {
        statement.targets[0].id: statement.value
        for statement in tree.body
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name)
    }
    upgrade = [one for one in tree.body if isinstance(one, ast.FunctionDef) and one.name == "upgrade"]
    if "revision" not in values or not upgrade:
        return None
    title = (ast.get_docstring(tree) or path.stem).splitlines()[0]
    return Migration(
        str(ast.literal_eval(values["revision"])),
        str(ast.literal_eval(values["down_revision"]) or "") if "down_revision" in values else "",
        title,
        tuple(_narrowing(upgrade[0])),
        str(ast.literal_eval(values["compatible"])).strip() if "compatible" in values else "",
    )


def _narrowing(upgrade: ast.FunctionDef) -> list[str]:
    """Every statement of `upgrade` that is no pure addition, as it stands there."""
    made = {
        _text(one.value.args[0])
        for one in upgrade.body
        if isinstance(one, ast.Expr)
        and isinstance(one.value, ast.Call)
        and _operation(one.value) == "create_table"
    }
    return [
        _shortened(statement)
        for statement in upgrade.body
        if not (isinstance(statement, ast.Expr) and _only_adds(statement.value, made))
    ]


def _only_adds(expression: ast.expr, made: set[str]) -> bool:
    """Whether it adds what an earlier release does not notice.

    Args:
        made: the tables that the same migration makes, on which it may do anything.
    """
    if isinstance(expression, ast.Constant):
        return True
    name = _operation(expression)
    if _walls_in(expression, made):
        return True
    if not isinstance(expression, ast.Call) or not name:
        return False
    if name == "create_index":
        unique = any(one.arg == "unique" and _is(one.value, True) for one in expression.keywords)
        return not unique or (len(expression.args) > 1 and _text(expression.args[1]) in made)
    return name == "create_table" or (name == "add_column" and _may_be_left_out(expression))


def _walls_in(expression: ast.expr, made: set[str]) -> bool:
    """`row_security.build(…, "table")` of a table that the same migration makes: no earlier release reads it."""
    if not isinstance(expression, ast.Call) or not isinstance(expression.func, ast.Attribute):
        return False
    owner = expression.func.value
    names = [_text(one) for one in expression.args[1:]]
    return (
        isinstance(owner, ast.Name)
        and (owner.id, expression.func.attr) == ("row_security", "build")
        and bool(names)
        and set(names) <= made
    )


def _text(node: ast.expr) -> str:
    return str(node.value) if isinstance(node, ast.Constant) else ""


def _operation(expression: ast.expr) -> str:
    if isinstance(expression, ast.Call) and isinstance(expression.func, ast.Attribute):
        owner = expression.func.value
        if isinstance(owner, ast.Name) and owner.id == "op":
            return expression.func.attr
    return ""


def _may_be_left_out(call: ast.Call) -> bool:
    """A column that an insert of the earlier release, which does not know it, may leave out."""
    columns = [one for one in call.args if isinstance(one, ast.Call)]
    given = {word.arg: word.value for column in columns for word in column.keywords}
    optional = "nullable" not in given or _is(given["nullable"], True)
    return bool(columns) and (optional or "server_default" in given)


def _is(node: ast.expr, value: object) -> bool:
    return isinstance(node, ast.Constant) and node.value is value


def _shortened(statement: ast.stmt) -> str:
    text = " ".join(ast.unparse(statement).split())
    return text if len(text) <= 100 else f"{text[:97]}…"
