"""Each of the thirty faults has a row in the guide, and the test that its row names is marked with its number."""

import ast
import re
from collections.abc import Iterator
from functools import cache

import pytest

from leitstand.settings import REPOSITORY

GUIDE = REPOSITORY / "docs" / "guide" / "faults.md"
FAULTS = range(1, 31)
ROW = re.compile(r"^\| (\d+) \|.*\| `(tests/[\w/]+\.py)::(\w+)` \|$", re.MULTILINE)
COMMANDS = {"watch-log"}
CONDITIONS = re.compile(r"`([a-z]+(?:-[a-z]+)+)`")


@cache
def rows() -> dict[int, tuple[str, str]]:
    """Number -> file and function of the guide's test."""
    found = ROW.findall(GUIDE.read_text())
    assert len(found) == len({number for number, _, _ in found}), "a number stands twice"
    return {int(number): (path, name) for number, path, name in found}


@cache
def marked() -> dict[tuple[str, str], set[int]]:
    """File and function -> the faults it is marked with."""
    found: dict[tuple[str, str], set[int]] = {}
    for path in (REPOSITORY / "tests").rglob("test_*.py"):
        tree = ast.parse(path.read_text())
        whole = {
            number for node in tree.body if isinstance(node, ast.Assign) for number in _numbers(node.value)
        }
        for node in tree.body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                own = {number for decorator in node.decorator_list for number in _numbers(decorator)}
                found[str(path.relative_to(REPOSITORY)), node.name] = whole | own
    return found


def _numbers(tree: ast.AST) -> Iterator[int]:
    """The arguments of every `pytest.mark.fault(…)` in it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.fault":
            yield from (int(ast.literal_eval(argument)) for argument in node.args)


@pytest.mark.parametrize("number", FAULTS)
def test_a_fault_has_a_row_and_its_test_makes_it(number: int) -> None:
    assert number in rows(), f"docs/guide/faults.md has no row {number}"
    assert number in marked().get(rows()[number], set()), (
        f"{rows()[number]} is not there, or lacks fault({number})"
    )


def test_no_test_makes_a_fault_that_is_not_known() -> None:
    assert set().union(*marked().values()) == set(FAULTS) == set(rows())


def test_the_conditions_that_the_guides_name_are_those_of_the_code() -> None:
    sources = (REPOSITORY / "leitstand" / "backups").glob("*condition*.py")
    code = "".join(path.read_text() for path in sources)
    raised = set(re.findall(r'(?:Condition\(\s*|FLOW = )"([a-z-]+)"', code))
    guide = (GUIDE.parent / "operations.md").read_text()
    table = {
        name
        for line in guide.splitlines()
        if line.startswith("| `")
        for name in CONDITIONS.findall(line.split("|")[1])
    }
    assert raised <= table, raised - table
    seen = "".join(line.split("|")[3] for line in GUIDE.read_text().splitlines() if ROW.match(line))
    named = {name for name in CONDITIONS.findall(seen) if name not in COMMANDS}
    assert named <= raised, named - raised
