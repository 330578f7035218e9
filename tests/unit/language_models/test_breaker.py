"""Endpoints that fail again and again are left alone for a while, and asked again after it."""

import pytest

from leitstand.db.models.base import new_id
from leitstand.language_models.breaker import MOST_FAILURES, REST_SECONDS, Breaker, Resting


def test_an_endpoint_rests_after_failures_in_a_row_and_is_tried_by_one() -> None:
    now = [0.0]
    breaker, endpoint, other = Breaker(lambda: now[0]), new_id(), new_id()
    for _ in range(MOST_FAILURES - 1):
        breaker.failed(endpoint)
    breaker.check(endpoint, "Models")
    breaker.answered(endpoint)
    for _ in range(MOST_FAILURES):
        breaker.check(endpoint, "Models")
        breaker.failed(endpoint)
    with pytest.raises(Resting, match=f"Models failed {MOST_FAILURES} times") as refused:
        breaker.check(endpoint, "Models")
    assert f"{REST_SECONDS:.0f} s" in refused.value.hint
    breaker.check(other, "Other")
    now[0] = REST_SECONDS
    breaker.check(endpoint, "Models")
    with pytest.raises(Resting):
        breaker.check(endpoint, "Models")
    breaker.failed(endpoint)
    now[0] = 2 * REST_SECONDS - 1
    with pytest.raises(Resting):
        breaker.check(endpoint, "Models")
    now[0] = 2 * REST_SECONDS
    breaker.check(endpoint, "Models")
    breaker.answered(endpoint)
    breaker.check(endpoint, "Models")
    breaker.check(endpoint, "Models")
