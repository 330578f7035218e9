"""What readers are told of a notebook's failure."""

import pytest

from leitstand.reports.making import shown


@pytest.mark.parametrize(
    ("error", "said"),
    [
        ("", ""),
        ("Cell 3 did not run to its end (never started).", "Cell 3 did not run to its end (never started)."),
        (
            "AssertionError: ['runs by day add up to 3, not 4']",
            "AssertionError: ['runs by day add up to 3, not 4']",
        ),
        ("InvalidInput: There is no time zone.", "InvalidInput: There is no time zone."),
        (
            "OperationalError: host db, user leitstand: SELECT 1",
            "OperationalError (the archived notebook says more)",
        ),
    ],
)
def test_only_what_was_written_to_be_shown_is(error: str, said: str) -> None:
    assert shown(error) == said


def test_a_long_one_is_cut() -> None:
    assert len(shown("AssertionError: " + "x" * 5000)) == 500
