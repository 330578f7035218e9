"""The suites' files: ours are sound, and broken ones are named."""

import json
from pathlib import Path
from typing import Any

import pytest

from leitstand.checks.files import load, unchecked
from leitstand.errors import InvalidInput
from leitstand.settings import REPOSITORY

GOOD: dict[str, Any] = {
    "name": "a",
    "meta": {"table": "event"},
    "expectations": [{"type": "x", "kwargs": {}, "meta": {"name": "n", "says": "s"}}],
}


def written(folder: Path, suite: object, checkpoint: object = None) -> Path:
    (folder / "suites").mkdir()
    (folder / "suites" / "a.json").write_text(suite if isinstance(suite, str) else json.dumps(suite))
    (folder / "checkpoint.json").write_text(json.dumps(checkpoint or {"name": "c", "suites": ["a"]}))
    return folder


def test_ours_name_every_suite_and_say_what_each_rule_is() -> None:
    folder = REPOSITORY / "data-checks"
    checkpoint = load(folder)
    assert {suite.name for suite in checkpoint.suites} == {
        path.stem for path in (folder / "suites").glob("*.json")
    }
    for suite in checkpoint.suites:
        for expectation in suite.expectations:
            query = expectation["kwargs"].get("query", expectation["kwargs"].get("kept", "{batch}"))
            assert "{batch}" in query, expectation["meta"]["name"]
            assert expectation["meta"]["says"].endswith(".")


def test_a_good_folder_is_read(tmp_path: Path) -> None:
    assert load(written(tmp_path, GOOD)).count == 1


@pytest.mark.parametrize(
    ("suite", "said"),
    [
        ("{", "no JSON"),
        ({}, "lacks"),
        ({**GOOD, "meta": {}}, "table"),
        ({**GOOD, "expectations": []}, "no checks"),
        ({**GOOD, "expectations": [{"type": "x", "meta": {"name": "", "says": "s"}}]}, "without"),
        ({**GOOD, "expectations": GOOD["expectations"] * 2}, "named twice: n"),
        ([], "lacks"),
    ],
)
def test_a_broken_suite_is_named(tmp_path: Path, suite: object, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        load(written(tmp_path, suite))


@pytest.mark.parametrize("checkpoint", [{"name": "c"}, {"name": "c", "suites": ["gone"]}, [1]])
def test_a_broken_checkpoint_is_named(tmp_path: Path, checkpoint: object) -> None:
    with pytest.raises(InvalidInput):
        load(written(tmp_path, GOOD, checkpoint))


def test_a_missing_folder_says_how_to_name_another(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput) as caught:
        load(tmp_path / "none")
    assert "LEITSTAND_CHECKS_DIR" in caught.value.hint


def test_suites_are_chosen_by_name_and_by_what_events_can_violate() -> None:
    checkpoint = load(REPOSITORY / "data-checks")
    assert checkpoint.chosen([]) is checkpoint.chosen(["all", "people"]) is checkpoint
    assert [suite.name for suite in checkpoint.chosen(["people", "audit"]).suites] == ["people", "audit"]
    after = checkpoint.chosen(["ingestion"])
    assert (
        {"events", "runs", "actors"}
        <= {suite.name for suite in after.suites}
        < {suite.name for suite in checkpoint.suites}
    )
    with pytest.raises(InvalidInput, match="no suite nonsense"):
        checkpoint.chosen(["people", "nonsense"])


@pytest.mark.parametrize(
    "said", [{"tables": {}}, {"tables": {"a": ""}, "columns": {}}, [], {"tables": 3, "columns": {}}]
)
def test_a_table_without_a_suite_needs_a_reason(tmp_path: Path, said: object) -> None:
    (tmp_path / "unchecked.json").write_text(json.dumps(said))
    with pytest.raises(InvalidInput):
        unchecked(tmp_path)
