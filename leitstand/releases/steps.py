"""The steps of a release. Each looks at what there is and may be done again: a process may be killed in any of them."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from leitstand.errors import PreconditionFailed, Unavailable
from leitstand.releases import observing, preflight
from leitstand.releases.current import Current, current, set_current
from leitstand.releases.host import Checks, Host, other
from leitstand.releases.images import image
from leitstand.releases.journal import Journal
from leitstand.releases.site import Site
from leitstand.words import N_, msg

POLL_SECONDS = 0.25
# A roll back takes a minute at most, whatever the old colour does.
BACK_SECONDS = 25.0
NONE = Checks()
MIGRATE, PREPARE = ["migrate", "up", "--json"], ["serve", "migrate"]
Evidence = dict[str, object]


@dataclass
class Work:
    """What a step has in hand.

    Args:
        tell: takes a line for who watches.
    """

    site: Site
    host: Host
    journal: Journal
    tell: Callable[[str], None]

    @property
    def colour(self) -> str:
        """The colour that is made."""
        return str(self.journal.plan["colour"])

    @property
    def image(self) -> str:
        """The image that it is to run on."""
        return str(self.journal.plan["image"])

    @property
    def before(self) -> str:
        """The image that served before; empty: none."""
        return str(self.journal.plan["before"])

    @property
    def accepted(self) -> set[str]:
        """Refusals that somebody took upon themselves."""
        return set(self.journal.plan["accepted"])


def check(work: Work) -> Evidence:
    """Everything that must be so before anything is changed; the image is here afterwards, since it must say its part."""
    site, host, wanted = work.site, work.host, image(work.image)
    passed = bool(work.journal.plan["passed"])
    found = [
        *preflight.refusals_of_image(site, wanted, passed=passed),
        *preflight.refusals_of_host(site, host),
    ]
    refuse(found, work.accepted)
    if not work.before:
        # Nothing ran here: there is no database that could be asked, and none to lose.
        return {"accepted": [one.name for one in found], "facts": {}}
    host.pull(work.image)
    facts = preflight.facts_of(host, work.image, work.before)
    if isinstance(facts, preflight.Refusal):
        refuse([facts], set())
    else:
        found += preflight.refusals_of_facts(site, facts)
        refuse(found, work.accepted)
    return {"accepted": [one.name for one in found], "facts": vars(facts)}


def refuse(found: list[preflight.Refusal], accepted: set[str]) -> None:
    """Raise `PreconditionFailed` for what is refused and not accepted, or can't be."""
    left = [one for one in found if one.name not in accepted & preflight.ACCEPTABLE]
    if left:
        raise PreconditionFailed(
            " ".join(f"{one.name}: {one.says}" for one in left),
            hint=" ".join(one.hint for one in left),
            details={"refused": [one.to_dict() for one in left]},
        )


def pull(work: Work) -> Evidence:
    """The image is on this machine."""
    work.host.pull(work.image)
    return {}


def expand(work: Work) -> Evidence:
    """The schema is as the new image needs it, and the old one lives with it; on a new server, the database is there."""
    if not work.before:
        work.host.infrastructure(work.image)
        return {"said": work.host.one_shot(work.image, PREPARE).strip()[-500:]}
    contract = ["--contract"] if "migrations-contract" in work.accepted else []
    return {"said": work.host.one_shot(work.image, [*MIGRATE, *contract]).strip()[-500:]}


def start(work: Work) -> Evidence:
    """The new colour runs and takes no requests of people; what ran of this colour has answered its own first."""
    work.host.drain(work.colour)
    if work.host.checks(work.colour):
        _take_out(work, work.colour)
    work.host.start(work.colour, work.image)
    return {}


def ready(work: Work) -> Evidence:
    """Every service of the new colour is ready."""
    return {"seconds": _wait_ready(work, work.colour, work.site.ready_seconds)}


def _wait_ready(work: Work, colour: str, patience: float) -> float:
    began = time.monotonic()
    while unready := work.host.not_ready(colour):
        if time.monotonic() > began + patience:
            says = "; ".join(f"{name}: {detail}" for name, detail in sorted(unready.items()))
            raise Unavailable(
                msg(
                    "{colour} is not ready after {seconds} s: {says}",
                    colour=colour,
                    seconds=patience,
                    says=says,
                ),
                hint=N_("The logs of these services say why."),
            )
        time.sleep(POLL_SECONDS)
    return round(time.monotonic() - began, 1)


def smoke(work: Work) -> Evidence:
    """The new colour answers as it should, asked past the proxy."""
    tried = work.host.smoke(work.colour)
    wrong = [f"{one.name}: {one.detail}" for one in tried if not one.ok]
    if wrong or not tried:
        raise Unavailable(
            msg("The smoke test failed: {wrong}.", wrong="; ".join(wrong) or "nothing was tried"),
            hint=N_("Nobody was sent to this colour."),
        )
    return {"tried": [one.name for one in tried]}


def switch(work: Work) -> Evidence:
    """The proxy sends requests to the new colour (and still to the old one)."""
    return {"seconds": _bring_in(work, work.colour)}


def _bring_in(work: Work, colour: str) -> float:
    """Have the colour say that it takes requests, until every service of it has told the proxy so."""
    work.host.admit(colour)
    before = work.host.checks(colour)

    def told() -> bool:
        now = work.host.checks(colour)
        return bool(now) and all(one.passed > before.get(name, NONE).passed for name, one in now.items())

    return _until(work, told, msg("The proxy does not take {colour} into rotation.", colour=colour))


def _take_out(work: Work, colour: str) -> float:
    """Have the colour say that it takes none, until every service that runs has told the proxy so."""
    work.host.drain(colour)
    before = work.host.checks(colour)

    def told() -> bool:
        now = work.host.checks(colour)
        return all(one.refused > before.get(name, NONE).refused for name, one in now.items())

    seconds = _until(work, told, msg("The proxy does not take {colour} out of rotation.", colour=colour))
    # What it was sent until then is answered in this time.
    time.sleep(work.site.drain_seconds)
    return seconds


def _until(work: Work, done: Callable[[], bool], otherwise: str) -> float:
    began = time.monotonic()
    while not done():
        if time.monotonic() > began + work.site.settle_seconds:
            raise Unavailable(otherwise, hint=N_("See its log and its upstreams."))
        time.sleep(POLL_SECONDS)
    return round(time.monotonic() - began, 1)


def drain(work: Work) -> Evidence:
    """The old colour takes no more requests, and has answered those that it had; it still runs, for the way back."""
    return {"seconds": _take_out(work, other(work.colour))} if work.before else {}


def singles(work: Work) -> Evidence:
    """The worker and the flows run on the new image."""
    work.host.singles(work.image)
    return {}


def observe(work: Work) -> Evidence:
    """The new colour does well under what people do."""
    return observing.observe(work.site, work.host, work.colour, work.tell)


def finish(work: Work) -> Evidence:
    """It is written down what serves; then the old colour ends, and images that nobody goes back to are removed."""
    was = current(work.site.releases)
    if was is None or was.release != work.journal.id:
        back = "migrations-contract" not in work.accepted
        now = datetime.now(UTC).isoformat(timespec="seconds")
        set_current(
            work.site.releases,
            Current(work.colour, work.image, work.journal.id, now, work.before, back and bool(work.before)),
        )
    if work.before:
        work.host.stop(other(work.colour))
    work.host.discard({work.image, work.before})
    return {}


# --- back ---


def bring_back(work: Work) -> Evidence:
    """The old colour serves again, started where it was stopped.

    It is taken into rotation even when it is not ready: the new one did not do better, and the fault may be of both.
    """
    if not work.before:
        return {}
    colour, unready = other(work.colour), ""
    # One that runs is left as it is: nobody waits for it, and it may be serving.
    if work.host.not_ready(colour):
        work.host.start(colour, work.before)
        try:
            _wait_ready(work, colour, BACK_SECONDS)
        except Unavailable as error:
            unready = error.message
    return {"seconds": _bring_in(work, colour), "unready": unready}


def withdraw(work: Work) -> Evidence:
    """Nobody is sent to the new colour any more."""
    return {"seconds": _take_out(work, work.colour)} if work.journal.touched("switch") else {}


def singles_back(work: Work) -> Evidence:
    """The worker and the flows run on the old image."""
    if work.before and work.journal.touched("singles"):
        work.host.singles(work.before)
    return {}


def stop_new(work: Work) -> Evidence:
    """The new colour has ended."""
    work.host.drain(work.colour)
    work.host.stop(work.colour)
    was, now = work.journal.plan["was"], current(work.site.releases)
    if was and now and now.release == work.journal.id:
        set_current(work.site.releases, Current(**was))
    return {}


@dataclass(frozen=True)
class Step:
    """One step.

    Args:
        seconds: the most that it may take; the lock is held for so long.
    """

    name: str
    does: Callable[[Work], Evidence]
    seconds: Callable[[Site], float]


def _within(seconds: float) -> Callable[[Site], float]:
    return lambda _: seconds


def _settling(site: Site) -> float:
    return site.settle_seconds + site.drain_seconds + 60


STEPS = {
    step.name: step
    for step in (
        Step("check", check, _within(1200)),
        Step("pull", pull, _within(900)),
        Step("expand", expand, _within(1800)),
        Step("start", start, _within(300)),
        Step("ready", ready, lambda site: site.ready_seconds + 60),
        Step("smoke", smoke, _within(120)),
        Step("switch", switch, _settling),
        Step("drain", drain, _settling),
        Step("singles", singles, _within(300)),
        Step("observe", observe, lambda site: site.observe_seconds + 120),
        Step("finish", finish, _within(300)),
        Step("bring-back", bring_back, lambda site: site.ready_seconds + site.settle_seconds + 120),
        Step("withdraw", withdraw, _settling),
        Step("singles-back", singles_back, _within(300)),
        Step("stop-new", stop_new, _within(300)),
    )
}
RELEASE = (
    "check",
    "pull",
    "expand",
    "start",
    "ready",
    "smoke",
    "switch",
    "drain",
    "singles",
    "observe",
    "finish",
)
# To what has served here before: its image is here, and the schema has only been expanded since.
ROLLBACK = ("start", "ready", "switch", "drain", "singles", "finish")
BACK = ("bring-back", "withdraw", "singles-back", "stop-new")
# Before any of these is begun, nothing is changed and nothing need be brought back.
CHANGING = ("start", "switch", "drain", "singles", "finish")
