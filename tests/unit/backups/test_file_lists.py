"""What an increment is not built on, whatever the choice of the level said."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from leitstand.backups.file_lists import parent_files
from leitstand.backups.work import Job

PARENT = {"id": "b", "system_identifier": "71", "timeline": 1, "file_list": None}


@pytest.mark.parametrize(
    ("system", "timeline", "why"),
    [
        ("72", 1, "of another cluster"),
        ("71", 2, "of timeline 1, and this is 2"),
        ("71", 1, "no list of its files"),
    ],
)
def test_a_parent_that_does_not_fit_is_named(system: str, timeline: int, why: str) -> None:
    found, reason = parent_files(cast(Job, cast(Any, SimpleNamespace(chain=[PARENT]))), system, timeline)
    assert found is None and why in reason
