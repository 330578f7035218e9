"""A release on a machine with real processes behind the real proxy: on, back by itself, and back by hand."""

import json
import time

import pytest

from leitstand.errors import Conflict, Forbidden, NotFound, PreconditionFailed
from leitstand.releases import journal as journals
from leitstand.releases import lease, passes, planning, rollout
from leitstand.releases.current import current
from leitstand.releases.journal import FINISHED, REFUSED, ROLLED_BACK
from leitstand.releases.site import Site
from tests.local_host import BROKEN, FAILING, NEW, OLD, LocalHost, site_of
from tests.releasing import Load, forking, machine

__all__ = ["forking", "machine"]


def released(site: Site, host: LocalHost, image: str, **more: str) -> journals.Journal:
    return rollout.start(site, host, image, by="anna", tell=lambda _: None, **more)  # type: ignore[arg-type]


def test_a_release_and_its_rollback_drop_no_request(machine: LocalHost) -> None:
    site = site_of(machine)
    first = released(site, machine, OLD)
    assert first.outcome == FINISHED and machine.served_by() == "blue"
    with Load(machine.port) as load:
        second = released(site, machine, NEW)
        assert second.outcome == FINISHED and machine.served_by() == "green"
        assert machine.colours() == {"green"} and machine.single_image() == NEW
        serving = current(site.releases)
        assert serving and (serving.image, serving.previous) == (NEW, OLD)
        began = time.monotonic()
        third = rollout.rollback(site, machine, by="bert", tell=lambda _: None)
        seconds = time.monotonic() - began
        assert third.outcome == FINISHED and machine.served_by() == "blue"
    assert load.failed == [] and load.answered > 100, (load.answered, load.failed[:5])
    assert seconds < 60 and machine.single_image() == OLD
    assert [one["kind"] for one in map(journals.summary, journals.journals(site.releases))] == [
        "rollback",
        "release",
        "release",
    ]
    evidence = {one["step"]: one["evidence"] for one in journals.summary(second)["steps"]}
    assert evidence["smoke"]["tried"] == ["sign-in page"] and evidence["observe"]["requests"] > 0
    assert lease.look(site.releases) is None


@pytest.mark.parametrize(("image", "step"), [(BROKEN, "ready"), (FAILING, "observe")])
def test_what_does_no_good_is_rolled_back_by_itself(machine: LocalHost, image: str, step: str) -> None:
    released(site_of(machine), machine, OLD)
    site = site_of(machine, ready_seconds=1.0, observe_seconds=10.0, fewest=5)
    with Load(machine.port) as load:
        found = released(site, machine, image)
    assert found.outcome == ROLLED_BACK and found.at_step == "stop-new"
    turned = next(one for one in found.records if one["what"] == journals.TURNED)
    assert turned["step"] == step and turned["why"]
    assert machine.served_by() == "blue" and machine.colours() == {"blue"} and machine.single_image() == OLD
    serving = current(site.releases)
    assert serving and serving.image == OLD
    if image == BROKEN:
        assert load.failed == [], "nobody was sent there"


def test_what_is_refused_changes_nothing(machine: LocalHost) -> None:
    site = site_of(machine)
    released(site, machine, OLD)
    asked = len(machine.noted("start"))
    machine.facts = {"revision": "r1", "backup_hours": 40, "proof_hours": None}
    found = released(site, machine, NEW)
    assert found.outcome == REFUSED and "backup-old" in found.why and "restore-unproven" in found.why
    assert "--accept backup-old" in found.hint
    planned = planning.planned(site, machine, NEW)
    assert {one.name for one in planned.refusals} == {"backup-old", "restore-unproven"}
    assert planned.colour == "green" and planned.before == OLD
    assert len(machine.noted("start")) == asked and machine.colours() == {"blue"}
    taken = rollout.start(
        site, machine, NEW, by="anna", tell=lambda _: None, accept=("backup-old", "restore-unproven")
    )
    assert taken.outcome == FINISHED and taken.evidence("check")["accepted"] == [
        "backup-old",
        "restore-unproven",
    ]


def test_migrations_are_rehearsed_by_an_image_that_may_have_the_keys(
    machine: LocalHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    staging = site_of(machine)
    said = {"backup": "b1", "revision": "r1", "applied": [{"revision": "r2", "seconds": 1.5}]}
    asked: list[tuple[str, list[str]]] = []

    def one_shot(_: LocalHost, image: str, arguments: list[str], *, seconds: float) -> str:
        asked.append((image, arguments))
        assert seconds > 3600
        return json.dumps(said)

    assert planning.rehearsed(staging, machine, NEW) == {}, "nothing was released yet"
    released(staging, machine, OLD)
    monkeypatch.setattr(LocalHost, "one_shot", one_shot)
    assert planning.rehearsed(staging, machine, NEW) == said
    assert asked == [(NEW, ["migrate", "rehearse", "--json"])]
    production = Site(**{**vars(staging), "environment": "production"})
    with pytest.raises(PreconditionFailed, match="not-passed-staging"):
        planning.rehearsed(production, machine, NEW)
    elsewhere = Site(**{**vars(staging), "repository": "registry.example.org/another"})
    with pytest.raises(PreconditionFailed, match="image-not-ours"):
        planning.rehearsed(elsewhere, machine, NEW)
    assert len(asked) == 1, "neither was started"


def test_production_takes_what_staging_has_passed(machine: LocalHost) -> None:
    staging = site_of(machine)
    released(staging, machine, OLD)
    token, key = passes.issue(staging, OLD), passes.public_key(staging)
    production = Site(**{**vars(staging), "environment": "production", "staging_key": key})
    assert "not-passed-staging" in released(production, machine, NEW).why
    with pytest.raises(Forbidden):
        released(production, machine, NEW, passed=token)
    with pytest.raises(Conflict, match="serves already"):
        released(production, machine, OLD, passed=token)
    accepted = rollout.start(
        production, machine, NEW, by="anna", tell=lambda _: None, accept=("not-passed-staging",)
    )
    assert accepted.outcome == REFUSED, "nobody may take that upon themselves"


def test_one_at_a_time_and_nothing_to_go_back_to(machine: LocalHost) -> None:
    site = site_of(machine)
    with pytest.raises(NotFound):
        rollout.rollback(site, machine, by="anna", tell=lambda _: None)
    assert rollout.resume(site, machine, by="anna", tell=lambda _: None) is None
    held = lease.take(site.releases, "a pipeline")
    for work in (rollout.start, rollout.rollback, rollout.resume):
        with pytest.raises(Conflict, match="a pipeline"):
            work(site, machine, *([OLD] if work is rollout.start else []), by="anna", tell=lambda _: None)  # type: ignore[operator]
    assert planning.standing(site)["releasing"] == "a pipeline"
    held.give_back()
    left = journals.begin(
        site.releases,
        {
            "image": NEW,
            "kind": "release",
            "steps": [],
            "before": "",
            "colour": "blue",
            "by": "a",
            "accepted": [],
            "was": None,
            "passed": {},
        },
    )
    with pytest.raises(Conflict, match=left.id):
        released(site, machine, OLD)
    assert rollout.rollback(site, machine, by="anna", tell=lambda _: None).outcome == REFUSED


def test_what_was_started_by_hand_is_taken_for_what_serves(machine: LocalHost) -> None:
    """As `docker compose up` does it: both colours run on one image."""
    for colour in ("blue", "green"):
        machine.start(colour, OLD)
    site = site_of(machine)
    while machine.not_ready("green") or machine.not_ready("blue"):
        time.sleep(0.1)
    machine.served_by()
    with Load(machine.port) as load:
        found = released(site, machine, NEW)
    assert found.outcome == FINISHED and found.plan["before"] == OLD and found.plan["colour"] == "green"
    assert load.failed == [] and machine.colours() == {"green"}
    assert machine.noted("infrastructure") == [], "it is no new server"


def test_who_asks_it_to_end_has_it_rolled_back(machine: LocalHost) -> None:
    site = site_of(machine)
    released(site, machine, OLD)

    def tell(line: str) -> None:
        if line == "drain …":
            raise rollout.Cancelled("It was cancelled by SIGTERM.")

    found = rollout.start(site, machine, NEW, by="anna", tell=tell)
    assert found.outcome == ROLLED_BACK and "SIGTERM" in found.why
    assert machine.served_by() == "blue" and machine.colours() == {"blue"}


def test_where_the_schema_was_contracted_there_is_no_way_back(machine: LocalHost) -> None:
    site = site_of(machine)
    released(site, machine, OLD)
    machine.facts = {"revision": "r1", "contracting": ["r2"], "backup_hours": 1, "proof_hours": 1}
    assert "migrations-contract" in released(site, machine, NEW).why
    rollout.start(site, machine, NEW, by="anna", tell=lambda _: None, accept=("migrations-contract",))
    assert "migrate up --json --contract" in machine.noted("one-shot")
    with pytest.raises(Conflict, match="contracted"):
        rollout.rollback(site, machine, by="anna", tell=lambda _: None)


def test_the_maintenance_page_is_shown_to_everybody(machine: LocalHost) -> None:
    released(site_of(machine), machine, OLD)
    machine.maintenance("<p>at work</p>")
    import httpx

    shown = httpx.get(f"http://127.0.0.1:{machine.port}/anything")
    assert shown.status_code == 503 and shown.text == "<p>at work</p>" and shown.headers["Retry-After"]
    machine.maintenance("")
    assert machine.served_by() == "blue"
