"""Options that take several values."""

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from leitstand.cli._options import Day, SeveralValues


@click.command(cls=SeveralValues)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--workspace", required=True)
@click.option("--step", "steps", multiple=True)
@click.option("--json", "as_json", is_flag=True)
def with_file(file: Path, workspace: str, steps: tuple[str, ...], as_json: bool) -> None:
    click.echo(f"{file}|{workspace}|{','.join(steps)}|{as_json}")


@click.command(cls=SeveralValues)
@click.option("--step", "steps", multiple=True)
@click.option("--from", "start", type=Day())
def without_file(steps: tuple[str, ...], start: object) -> None:
    click.echo(f"{','.join(steps)}|{start}")


@pytest.mark.parametrize(
    "words",
    [
        "f --workspace w --step a --step b --step c",
        "f --workspace w --step a b c",
        "f --step a b c --workspace w",
        "--workspace w f --step a b --step c",
        "--step a f --step b c --workspace w",
        "--step=a f --workspace=w --step=b c",
        "f --workspace w --step a --step b c --",
    ],
)
def test_values_may_follow_each_other_or_repeat_the_option(words: str) -> None:
    assert CliRunner().invoke(with_file, words.split()).output == "f|w|a,b,c|False\n"


def test_before_the_file_an_option_takes_one_value() -> None:
    assert (
        CliRunner().invoke(with_file, ["--workspace", "w", "--step", "a", "f", "--json"]).output
        == "f|w|a|True\n"
    )


def test_values_with_spaces_and_dashes() -> None:
    arguments = ["f", "--workspace", "-w", "--step", "CODE OK", "-", "--step=--odd"]
    assert CliRunner().invoke(with_file, arguments).output == "f|-w|CODE OK,-,--odd|False\n"


def test_without_an_argument_all_that_follows_is_values() -> None:
    assert (
        CliRunner().invoke(without_file, ["--step", "a", "b", "--from", "2026-01-01"]).output
        == "a,b|2026-01-01\n"
    )


@pytest.mark.parametrize(
    "words", ["f --workspace w extra", "f --workspace w --nothing", "f --step", "--workspace w"]
)
def test_what_is_wrong_stays_wrong(words: str) -> None:
    assert CliRunner().invoke(with_file, words.split()).exit_code == 2


@pytest.mark.parametrize("day", ["01.02.2026", "2026-13-01", "today", "2026-01-01T00:00:00"])
def test_a_day_is_a_day(day: str) -> None:
    result = CliRunner().invoke(without_file, ["--from", day])
    assert result.exit_code == 2
    assert "write it as 2026-11-23" in result.output
