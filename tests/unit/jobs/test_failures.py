"""When a failed job is tried again, and what is shown of its failure."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leitstand.errors import InvalidInput, NotFound, Unavailable
from leitstand.jobs.failures import LONGEST_WAIT_SECONDS, reason_of, wait_before_next


@given(attempt=st.integers(1, 30), first_wait=st.floats(0.1, 100))
def test_waits_grow_by_doubling_with_jitter_up_to_a_limit(attempt: int, first_wait: float) -> None:
    wait = wait_before_next(Unavailable("x"), attempt=attempt, attempts=31, first_wait=first_wait)
    mean = min(first_wait * 2 ** (attempt - 1), LONGEST_WAIT_SECONDS)
    assert wait is not None
    assert 0.5 * mean <= wait <= 1.5 * mean


def test_the_last_attempt_is_the_last() -> None:
    assert wait_before_next(Unavailable("x"), attempt=2, attempts=3, first_wait=1) is not None
    assert wait_before_next(Unavailable("x"), attempt=3, attempts=3, first_wait=1) is None
    assert wait_before_next(Unavailable("x"), attempt=4, attempts=3, first_wait=1) is None


@pytest.mark.parametrize("error", [InvalidInput("x"), NotFound("x")])
def test_what_trying_again_does_not_mend_is_not_tried_again(error: Exception) -> None:
    assert wait_before_next(error, attempt=1, attempts=5, first_wait=1) is None


def test_an_unexpected_error_shows_its_class_and_never_its_text() -> None:
    assert "hunter2" not in reason_of(RuntimeError("password=hunter2"))
    assert reason_of(RuntimeError("password=hunter2")).startswith("RuntimeError")
    assert reason_of(Unavailable("The store does not answer.")) == "The store does not answer."
