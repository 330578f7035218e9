"""CSV that no spreadsheet takes for a program."""

import csv
import io

from hypothesis import given
from hypothesis import strategies as st

from leitstand.words.spreadsheet import FORMULA, lines

CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\x00"), max_size=12)


@given(st.lists(st.tuples(CELLS, CELLS), max_size=5))
def test_every_cell_comes_back_and_none_begins_a_formula(rows: list[tuple[str, str]]) -> None:
    text = "".join(lines(["a", "b"], rows))
    head, *read = list(csv.reader(io.StringIO(text, newline="")))
    assert head == ["a", "b"]
    assert not any(cell.startswith(FORMULA) for row in read for cell in row)
    undone = [
        tuple(cell[1:] if cell[1:].startswith(FORMULA) and cell[0] == "'" else cell for cell in row)
        for row in read
    ]
    wanted = [tuple(c[1:] if c[:1] == "'" and c[1:].startswith(FORMULA) else c for c in row) for row in rows]
    assert undone == wanted
