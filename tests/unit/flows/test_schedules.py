"""The schedules' file: ours is sound, and a broken one is named."""

from pathlib import Path

import pytest

from flows.schedules import load, uncertain_hours
from leitstand.errors import InvalidInput
from leitstand.settings import REPOSITORY

GOOD = '[[deployment]]\nname = "a-flow"\nflow = "backup.back_up"\n'


def written(tmp_path: Path, content: str) -> Path:
    path = tmp_path / "schedules.toml"
    path.write_text(content)
    return path


def test_ours_name_flows_that_there_are_and_take_their_parameters() -> None:
    from flows.publish import flow_of

    deployments = load(REPOSITORY / "flows" / "schedules.toml")
    assert {
        "ingest-inbox",
        "backup-postgres",
        "drill-postgres-latest",
        "drill-postgres-random-time",
        "drill-full-environment",
        "drill-objects-sample",
        "data-checks",
    } <= {deployment.name for deployment in deployments}
    for deployment in deployments:
        flow_of(deployment).validate_parameters(deployment.parameters)


def test_a_flow_without_a_schedule_is_started_by_hand(tmp_path: Path) -> None:
    assert load(written(tmp_path, GOOD))[0].cron is None


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ('cron = "61 * * * *"', "no cron"),
        ('cron = "* * * * * *"', "no cron"),
        ('cron = "@daily"', "no cron"),
        ('cron = "0 0 * * *"\nzone = "Mars/Olympus"', "no time zone"),
        ('cron = "30 2 * * *"\nzone = "Europe/Berlin"', "skips or repeats"),
        ('cron = "30 0 * * *"\nzone = "Africa/Cairo"', "skips or repeats"),
        ("surprise = 1", "Extra inputs"),
        ('parameters = "x"', "parameters"),
        (GOOD, "more than once"),
        ("[other]\nx = 1", "nothing else"),
        ("= broken", "no TOML"),
    ],
)
def test_what_makes_no_sense_is_named(tmp_path: Path, more: str, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        load(written(tmp_path, GOOD + more + "\n"))


@pytest.mark.parametrize(
    "content",
    [
        "",
        'deployment = "x"',
        '[[deployment]]\nname = "Bad Name"\nflow = "a.b"',
        '[[deployment]]\nname = "a-b"\nflow = "os.system.x"',
    ],
)
def test_what_is_no_list_of_deployments_is_refused(tmp_path: Path, content: str) -> None:
    with pytest.raises(InvalidInput):
        load(written(tmp_path, content))


def test_a_missing_file_says_how_to_name_another(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput) as caught:
        load(tmp_path / "none.toml")
    assert "LEITSTAND_SCHEDULES_FILE" in caught.value.hint


def test_only_hours_in_which_clocks_change_are_uncertain(tmp_path: Path) -> None:
    assert uncertain_hours("UTC") == uncertain_hours("Asia/Kathmandu") == frozenset()
    assert uncertain_hours("Europe/Berlin") == {2}
    assert (
        load(written(tmp_path, GOOD + 'cron = "30 4 * * *"\nzone = "Europe/Berlin"\n'))[0].zone
        == "Europe/Berlin"
    )
    assert (
        load(written(tmp_path, GOOD + 'cron = "*/5 * * * *"\nzone = "Europe/Berlin"\n'))[0].cron
        == "*/5 * * * *"
    )
