"""Making environments in a double of Hetzner's API, through Hetzner's own client."""

import pytest

from leitstand.errors import Conflict, PreconditionFailed, Unavailable
from leitstand.hetzner.cloud import LABEL, Cloud
from leitstand.hetzner.description import Environment, Site
from leitstand.hetzner.plan import Target, apply, destroy_plan, plan
from tests.hetzner_double import Double
from tests.integration.hetzner.conftest import target


def test_production_is_planned_made_and_then_left_alone(
    double: Double, production: Environment, site: Site
) -> None:
    double.per_page, double.polls = 2, 2

    before = plan(target(double, production, site))
    assert {step.verdict for step in before.steps} == {"make"}
    assert double.changes() == [], "a plan changes nothing"

    told: list[str] = []
    apply(target(double, production, site), told=told.append)

    server = double.named("servers", "production-1")
    assert server["private_net"][0]["ip"] == "10.20.1.10"
    assert server["protection"] == {"delete": True, "rebuild": True}
    assert server["public_net"]["firewalls"][0]["id"] == double.named("firewalls", "production-public")["id"]
    assert server["placement_group"]["name"] == "production"
    assert double.named("volumes", "production-data")["server"] == server["id"]
    assert double.named("primary_ips", "production-ipv4")["dns_ptr"][0]["dns_ptr"] == "example.org"
    for kind in ("volumes", "primary_ips", "networks", "zones"):
        assert all(thing["protection"]["delete"] for thing in double.kept[kind].values()), kind
    records = double.sets[double.named("zones", "example.org")["id"]]
    address = double.named("primary_ips", "production-ipv4")["ip"]
    assert [each["value"] for each in records["@/A"]["records"]] == [address]
    assert any("server production-1: made" in line for line in told)

    made = len(double.changes())
    assert plan(target(double, production, site)).nothing_to_do
    assert apply(target(double, production, site)).nothing_to_do
    assert len(double.changes()) == made, "a second time changes nothing"


def test_the_host_gets_its_cloud_init_with_its_volume(
    double: Double, production: Environment, site: Site
) -> None:
    apply(target(double, production, site))

    order = next(body for method, path, body in double.calls if (method, path) == ("POST", "/servers"))
    volume = double.named("volumes", "production-data")["id"]
    assert f"/dev/disk/by-id/scsi-0HC_Volume_{volume}" in order["user_data"]
    assert order["user_data"].startswith("#cloud-config\n")
    assert order["volumes"] == [volume]
    assert order["ssh_keys"], "without keys Hetzner would mail a password"


@pytest.mark.parametrize(
    "code", ["rate_limit_exceeded", "unavailable", "server_error", "conflict", "timeout"]
)
def test_what_passes_is_asked_again(double: Double, production: Environment, site: Site, code: str) -> None:
    double.failures = [code, code]

    apply(target(double, production, site))

    assert plan(target(double, production, site)).nothing_to_do


@pytest.mark.parametrize("code", ["server_error", "timeout"])
def test_a_lost_answer_makes_nothing_twice(
    double: Double, production: Environment, site: Site, code: str
) -> None:
    double.lost = [code] * 12

    apply(target(double, production, site))

    assert plan(target(double, production, site)).nothing_to_do
    assert {kind: len(kept) for kind, kept in double.kept.items()} == {
        "ssh_keys": 1,
        "networks": 1,
        "placement_groups": 1,
        "firewalls": 1,
        "primary_ips": 2,
        "volumes": 1,
        "servers": 1,
        "zones": 1,
    }


def test_an_action_that_failed_is_tried_again(double: Double, production: Environment, site: Site) -> None:
    double.failing = ["attach_to_network", "change_protection"]

    apply(target(double, production, site))

    assert plan(target(double, production, site)).nothing_to_do


def test_what_stays_away_is_said_with_the_way_out(
    double: Double, production: Environment, site: Site
) -> None:
    double.failures = ["unavailable"] * 50

    with pytest.raises(Unavailable) as raised:
        apply(target(double, production, site))

    assert "goes on" in raised.value.hint


class Ended(BaseException):
    """The command was ended at this moment."""


def _ended_after(double: Double, number: int, of: Target) -> bool:
    """Apply, ended when Hetzner has done the change of that number; whether there was one."""
    done = 0

    def count(method: str, path: str) -> None:
        nonlocal done
        done += 1

    double.after = count
    session = of.cloud.client._client._session  # type: ignore[union-attr]
    send = session.send

    def ending(*arguments: object, **options: object) -> object:
        answer = send(*arguments, **options)
        if done >= number:
            raise Ended
        return answer

    session.send = ending  # type: ignore[method-assign]
    try:
        apply(of)
    except Ended:
        return True
    return False


@pytest.mark.parametrize(
    "number", [1, 8, 15, *(pytest.param(n, marks=pytest.mark.long) for n in range(2, 22) if n not in (8, 15))]
)
def test_ended_after_any_change_the_next_run_goes_on(
    double: Double, production: Environment, site: Site, number: int
) -> None:
    double.polls = 1
    assert _ended_after(double, number, target(double, production, site))
    double.after = lambda method, path: None

    apply(target(double, production, site))

    assert plan(target(double, production, site)).nothing_to_do
    assert [len(double.kept[kind]) for kind in ("volumes", "servers", "primary_ips")] == [1, 1, 2]


def test_what_differs_is_changed_in_place(double: Double, production: Environment, site: Site) -> None:
    apply(target(double, production, site))
    double.named("firewalls", "production-public")["rules"].pop()
    double.named("volumes", "production-data")["size"] = 50
    double.named("volumes", "production-data")["protection"]["delete"] = False
    double.named("servers", "production-1")["private_net"] = []
    double.named("servers", "production-1")["public_net"]["firewalls"] = []
    records = double.sets[double.named("zones", "example.org")["id"]]
    records["@/A"]["records"] = [{"value": "192.0.2.1", "comment": None}]

    found = plan(target(double, production, site))
    assert {step.name for step in found.of("change")} == {
        "production-public",
        "production-data",
        "production-1",
        "@ A",
    }
    (record,) = (step for step in found.of("change") if step.name == "@ A")
    assert record.reasons[0].endswith(" instead of 192.0.2.1"), (
        "what somebody wrote there is told before it goes"
    )
    apply(target(double, production, site))

    assert plan(target(double, production, site)).nothing_to_do
    assert len(double.named("firewalls", "production-public")["rules"]) == 5
    assert double.named("volumes", "production-data")["size"] == 100


def test_data_is_never_lost_to_a_description(double: Double, production: Environment, site: Site) -> None:
    apply(target(double, production, site))
    made = len(double.changes())
    smaller = production.volumes[0].model_copy(update={"size_gb": 20})
    other = production.servers[0].model_copy(update={"type": "cpx52"})
    wanted = production.model_copy(update={"volumes": [smaller], "servers": [other]})

    refused = plan(target(double, wanted, site)).of("refuse")
    assert [step.name for step in refused] == ["production-data", "production-1"]
    assert "shrink" in refused[0].reasons[0]
    with pytest.raises(Conflict):
        apply(target(double, wanted, site))

    nothing = production.model_copy(update={"volumes": [], "servers": [], "zone": None})
    left = plan(target(double, nothing, site)).left_over
    assert set(left) == {
        ("volumes", "production-data"),
        ("servers", "production-1"),
        ("zones", "example.org"),
    }
    apply(target(double, nothing, site))
    assert len(double.changes()) == made, "nothing was changed, and nothing deleted"
    fates = {fate.name: fate for fate in destroy_plan(target(double, production, site))}
    assert fates["production-data"].holds_data
    assert fates["production-data"].protected
    assert not fates["production-public"].holds_data
    assert not any(change.startswith("DELETE") for change in double.changes())


def test_things_of_others_are_not_taken_over(double: Double, production: Environment, site: Site) -> None:
    double.new("volumes", name="production-data", size=100, location="fsn1")
    double.new("firewalls", name="production-public", labels={LABEL: "staging"})

    refused = plan(target(double, production, site)).of("refuse")

    assert [step.name for step in refused] == ["production-public", "production-data"]
    with pytest.raises(Conflict):
        apply(target(double, production, site))
    assert double.changes() == []


def test_a_type_that_is_not_sold_there_is_said_before_anything_is_made(
    double: Double, production: Environment, site: Site
) -> None:
    elsewhere = production.model_copy(update={"location": "hel1"})

    step = plan(target(double, elsewhere, site)).of("refuse")[0]

    assert (step.name, step.reasons) == ("production-1", ("cpx42 is not sold in hel1",))


def test_a_wrong_token_is_told_and_never_shown(double: Double, production: Environment, site: Site) -> None:
    from pydantic import SecretStr

    wrong = "a-token-of-somebody-else"
    of = Target(production, site, Cloud(SecretStr(wrong), double.url, pause_seconds=0.001), None)

    with pytest.raises(PreconditionFailed) as raised:
        plan(of)

    assert wrong not in f"{raised.value} {raised.value.hint} {raised.value.__cause__}"
