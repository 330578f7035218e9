"""Parameters of notebooks: what is unknown, of another type or secret is refused before anything runs."""

from typing import Any

import pytest
from nbformat.v4 import new_code_cell, new_notebook

from leitstand.errors import InvalidInput
from leitstand.runbooks.parameters import checked, declared


def notebook(*sources: str) -> Any:
    cells = [new_code_cell(source, metadata={"tags": ["parameters"]}) for source in sources]  # type: ignore[no-untyped-call]
    return new_notebook(cells=[*cells, new_code_cell("x = 1")])  # type: ignore[no-untyped-call]


DECLARED = 'name = "latest"\ncount = 3\nshare = 0.5\nquick = True'


def test_names_and_defaults() -> None:
    assert declared(notebook(DECLARED)) == {"name": "latest", "count": 3, "share": 0.5, "quick": True}


def test_values_of_the_command_line_get_their_types() -> None:
    given: dict[str, object] = {"name": "7", "count": "7", "share": "1", "quick": "false"}
    assert checked(notebook(DECLARED), given) == {"name": "7", "count": 7, "share": 1.0, "quick": False}


def test_unknown_names_are_refused_with_those_that_there_are() -> None:
    with pytest.raises(InvalidInput, match="'nmae'") as caught:
        checked(notebook(DECLARED), {"nmae": "x"})
    assert "name, count, share, quick" in caught.value.hint


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("count", "three"),
        ("count", 1.5),
        ("count", True),
        ("quick", "yes"),
        ("quick", 1),
        ("share", "much"),
        ("name", 5),
        ("name", None),
        ("count", [1]),
    ],
)
def test_other_types_are_refused(name: str, value: object) -> None:
    with pytest.raises(InvalidInput, match="must be of the type"):
        checked(notebook(DECLARED), {name: value})


@pytest.mark.parametrize("name", ["password", "db_password", "API_TOKEN", "client_secret", "s3_access_key"])
def test_a_secret_is_no_parameter(name: str) -> None:
    with pytest.raises(InvalidInput, match="secret"):
        checked(notebook(f'{name} = ""'), {})


@pytest.mark.parametrize("sources", [[], [DECLARED, DECLARED]])
def test_there_is_one_parameters_cell(sources: list[str]) -> None:
    with pytest.raises(InvalidInput, match="cells tagged"):
        declared(notebook(*sources))


@pytest.mark.parametrize(
    "source",
    ["import os", "x = open('/etc/passwd')", "x, y = 1, 2", "x: int = 1", "x = [1]", "x = None", "print(1)"],
)
def test_only_plain_values_are_assigned(source: str) -> None:
    with pytest.raises(InvalidInput, match="plain values"):
        declared(notebook(source))
