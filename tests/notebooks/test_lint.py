"""The rules for notebooks: those of the repository keep them, and each broken rule is found."""

from pathlib import Path

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from leitstand.runbooks import documents
from tests.notebooks.lint import notebooks, problems

GOOD = 'run_id = "sandbox"'


def written(
    folder: Path,
    *cells: object,
    name: str = "rb900-test.ipynb",
    parameters: str = GOOD,
    heading: str = "# Title",
    last: str = "assert True",
) -> Path:
    first = [new_markdown_cell(heading), new_code_cell(parameters, metadata={"tags": ["parameters"]})]  # type: ignore[no-untyped-call]
    path = folder / name
    path.write_text(documents.dumps(new_notebook(cells=[*first, *cells, new_code_cell(last)])))  # type: ignore[no-untyped-call]
    return path


@pytest.mark.parametrize("path", notebooks(), ids=lambda path: path.stem)
def test_a_notebook_of_the_repository_keeps_the_rules(path: Path) -> None:
    assert list(problems(path)) == []


def test_there_are_notebooks_to_look_at() -> None:
    names = {
        "dr010-postgres-latest",
        "dr030-objects-sample",
        "rb010-postgres-point-in-time",
        "rb020-objects-lost",
    }
    assert names <= {path.stem for path in notebooks()}


def test_a_good_one_has_no_problem(tmp_path: Path) -> None:
    assert list(problems(written(tmp_path, new_code_cell("print(run_id)")))) == []  # type: ignore[no-untyped-call]


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("\n".join(f"x{number} = {number}" for number in range(20)), "more than"),
        ("def helper():\n    return 1", "defines"),
        ("open('/etc/leitstand/file')", "absolute path"),
        ("connect(password='x')", "secret"),
        ("url = 'postgresql://user:pass1@host/db'", "secret"),
    ],
)
def test_a_cell_that_breaks_a_rule_is_found(tmp_path: Path, source: str, says: str) -> None:
    found = list(problems(written(tmp_path, new_code_cell(source))))  # type: ignore[no-untyped-call]
    assert len(found) == 1 and says in found[0] and "cell 2" in found[0]


def test_outputs_and_allowed_errors_are_found(tmp_path: Path) -> None:
    ran = new_code_cell("print(1)", outputs=[new_output("stream", text="1")])  # type: ignore[no-untyped-call]
    tolerant = new_code_cell("1 / 0", metadata={"tags": ["raises-exception"]})  # type: ignore[no-untyped-call]
    found = " ".join(problems(written(tmp_path, ran, tolerant)))
    assert "holds outputs" in found and "allows an error" in found


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"name": "restore.ipynb"}, "named"),
        ({"heading": "no heading"}, "heading"),
        ({"last": "print(1)"}, "assertion"),
        ({"parameters": "import os"}, "plain values"),
        ({"parameters": 'db_password = ""'}, "secret"),
    ],
)
def test_a_notebook_that_breaks_a_rule_is_found(tmp_path: Path, changed: dict[str, str], says: str) -> None:
    assert any(says in problem for problem in problems(written(tmp_path, **changed)))  # type: ignore[arg-type]
