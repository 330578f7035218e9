"""What lets a runbook change something: this very plan, a decision, and the name typed."""

from contextlib import ExitStack
from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy import Engine

from leitstand.errors import PreconditionFailed
from leitstand.runbooks.confirming import Confirmed, Plan, Step, digest, real_parameters, real_run
from leitstand.runbooks.evidence import Evidence
from leitstand.runbooks.taking_up import CONFIRMED, TakenUp
from leitstand.settings import Settings
from tests.operating import OPERATOR, parameters_of

PLAN = Plan("leitstand", (Step("terminate", "17 since 12:00", "its transaction is rolled back"),))


class Trial(Confirmed):
    """A runbook of nothing but its confirmation."""

    NAME = "trial"


def trial(folder: Path, *, typed: str = "", dry_run: bool = False) -> Trial:
    work = TakenUp(cast(Settings, None), cast(Engine, None), folder, False, ExitStack())
    if typed:
        (folder / CONFIRMED).write_text(typed)
    made = Trial(
        work,
        Evidence(folder / "evidence.json"),
        dry_run=dry_run,
        given={"chosen": "17", "all": "", "none": 0, "off": False},
    )
    made.show_plan(PLAN)
    return made


def test_a_dry_run_ends_with_the_command_for_the_real_one(tmp_path: Path) -> None:
    made = trial(tmp_path, dry_run=True, typed="leitstand")
    said = str(made.confirm(plan_sha256=PLAN.sha256, decided_by="Olga").to_dict())
    assert not made.for_real
    assert f"runbook run trial -p chosen=17 -p none=0 -p dry_run=false -p plan_sha256={PLAN.sha256}" in said
    assert "all=" not in said and "off=" not in said and "type leitstand" in said


@pytest.mark.parametrize(
    ("typed", "sha256", "decided_by", "says"),
    [
        ("leitstand", "", "Olga", "not confirmed"),
        ("leitstand", "0" * 64, "Olga", "The plan is"),
        ("leitstand", PLAN.sha256, " ", "who decided"),
        ("", PLAN.sha256, "Olga", "not typed"),
        ("other", PLAN.sha256, "Olga", "not typed"),
    ],
)
def test_a_real_run_without_one_of_them_goes_no_further(
    tmp_path: Path, typed: str, sha256: str, decided_by: str, says: str
) -> None:
    made = trial(tmp_path, typed=typed)
    with pytest.raises(PreconditionFailed, match=says):
        made.confirm(plan_sha256=sha256, decided_by=decided_by)
    assert not made.for_real and made.evidence.figures["for_real"] is False


def test_an_earlier_check_that_failed_stops_it(tmp_path: Path) -> None:
    made = trial(tmp_path, typed="leitstand")
    made.evidence.check("space", False, "the disk is full")
    with pytest.raises(PreconditionFailed, match="the disk is full"):
        made.confirm(plan_sha256=PLAN.sha256, decided_by="Olga")


def test_with_all_of_them_it_goes_on_and_says_so(tmp_path: Path) -> None:
    made = trial(tmp_path, typed="leitstand")
    made.confirm(plan_sha256=PLAN.sha256, decided_by="Olga")
    assert made.for_real and not made.failures
    assert made.evidence.figures["decided_by"] == "Olga" and made.evidence.figures["for_real"] is True


@pytest.mark.parametrize(
    "other",
    [
        Plan("other", PLAN.steps),
        Plan("leitstand", (Step("terminate", "17 since 12:01", "its transaction is rolled back"),)),
        Plan("leitstand", PLAN.steps, {"backup": "another"}),
        Plan("leitstand", ()),
    ],
)
def test_whatever_differs_is_another_plan(other: Plan) -> None:
    assert other.sha256 != PLAN.sha256


def test_the_hash_does_not_depend_on_the_order_of_names() -> None:
    first: dict[str, Any] = {"a": 1, "b": [2, 3]}
    assert digest(first) == digest(dict(reversed(first.items()))) != digest({"a": 1, "b": [3, 2]})


def test_values_with_spaces_can_be_pasted() -> None:
    said = real_run("trial", {"names": "a b", "leaked": "false"}, target="x", sha256="1")
    assert "-p 'names=a b'" in said and "leaked=false" in said


def test_a_page_is_filled_in_with_what_the_command_says() -> None:
    given = {
        "names": "a b",
        "retries": 0,
        "wait": True,
        "all": False,
        "note": "",
        "dry_run": True,
        "decided_by": "x",
    }
    parameters = real_parameters(given, "1")
    assert parameters == {
        "names": "a b", "retries": "0", "wait": "true", "dry_run": "false", "plan_sha256": "1",
    }  # fmt: skip
    said = real_run("trial", given, target="x", sha256="1").partition("; then type ")[0]
    assert parameters_of(said) == {**parameters, "decided_by": OPERATOR}
