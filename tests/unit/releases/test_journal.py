"""The journal of a release is what a killed process leaves: every line that was acted upon, and no half of one."""

import json
from pathlib import Path

import pytest

from leitstand.errors import NotFound
from leitstand.releases import journal as journals
from leitstand.releases.journal import BACK, BEGAN, DONE, ENDED, FORWARD, TURNED, begin, read

PLAN = {
    "kind": "release",
    "image": "i",
    "colour": "blue",
    "before": "",
    "by": "anna",
    "accepted": [],
    "was": None,
}


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    made = begin(tmp_path, {**PLAN, "steps": ["check", "start"]})
    made.write(BEGAN, step="check", way=FORWARD)
    made.write(DONE, step="check", way=FORWARD, seconds=1.5, evidence={"free": 3})
    made.write(BEGAN, step="start", way=FORWARD)
    again = read(made.path)
    assert again.records == made.records and again.plan["by"] == "anna"
    assert again.done() == ["check"] and again.at_step == "start" and again.outcome == ""
    assert again.touched("start") and not again.touched("switch")
    assert again.evidence("check") == {"free": 3}
    assert journals.unfinished(tmp_path) is not None


def test_a_line_that_was_cut_off_was_never_acted_upon(tmp_path: Path) -> None:
    made = begin(tmp_path, {**PLAN, "steps": []})
    made.write(BEGAN, step="check", way=FORWARD)
    with made.path.open("ab") as stream:
        stream.write(json.dumps({"what": DONE, "step": "check"})[:-4].encode())
    again = read(made.path)
    assert again.done() == []
    again.write(DONE, step="check", way=FORWARD, seconds=0, evidence={})
    assert read(made.path).done() == ["check"], "the next line does not stick to the half one"


def test_steps_of_the_way_back_are_counted_apart(tmp_path: Path) -> None:
    made = begin(tmp_path, {**PLAN, "steps": []})
    made.write(DONE, step="start", way=FORWARD, seconds=0, evidence={})
    made.write(TURNED, why="the smoke test failed")
    assert made.direction == BACK and made.done() == [] and made.why == "the smoke test failed"
    made.write(DONE, step="bring-back", way=BACK, seconds=0, evidence={})
    made.write(ENDED, outcome=journals.ROLLED_BACK)
    assert made.done() == ["bring-back"]
    assert journals.unfinished(tmp_path) is None
    assert journals.summary(made)["outcome"] == "rolled back"


def test_the_newest_is_first_and_one_is_found_by_its_id(tmp_path: Path) -> None:
    first, second = begin(tmp_path, {**PLAN, "steps": []}), begin(tmp_path, {**PLAN, "steps": []})
    assert [one.id for one in journals.journals(tmp_path)] == [second.id, first.id]
    assert journals.journal_of(tmp_path, first.id).records == first.records
    with pytest.raises(NotFound):
        journals.journal_of(tmp_path, "20260101")
