"""What a release would do, and what is under way: looked at without changing anything."""

import json
from dataclasses import asdict, dataclass
from typing import Any

from leitstand.errors import Forbidden
from leitstand.releases import journal as journals
from leitstand.releases import lease, passes, preflight, steps
from leitstand.releases.current import current, serving_now
from leitstand.releases.host import BLUE, Host, other
from leitstand.releases.images import image
from leitstand.releases.site import Site

REHEARSE = ["migrate", "rehearse", "--json"]
# A copy of some hundred gigabytes takes hours to come.
REHEARSAL_SECONDS = 6 * 3600.0


@dataclass(frozen=True)
class Planned:
    """What would be done.

    Args:
        before: image that serves; empty: none. colour: on which the new one would run.
        refusals: what stands in the way; empty: nothing does.
    """

    image: str
    before: str
    colour: str
    steps: tuple[str, ...]
    facts: preflight.Facts
    refusals: tuple[preflight.Refusal, ...]

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return asdict(self)


def planned(site: Site, host: Host, wanted: str, *, passed: str = "") -> Planned:
    """Look at everything that a release would look at first; the image is fetched for it.

    Raises:
        InvalidInput: the image is not named by its digest.
    """
    asked, serving = image(wanted), serving_now(site, host)
    before = serving.image if serving else ""
    found = [
        *preflight.refusals_of_image(site, asked, passed=_is_passed(site, passed, wanted)),
        *preflight.refusals_of_host(site, host),
    ]
    facts = preflight.Facts()
    if before:
        host.pull(wanted)
        said = preflight.facts_of(host, wanted, before)
        if isinstance(said, preflight.Refusal):
            found.append(said)
        else:
            facts = said
            found += preflight.refusals_of_facts(site, facts)
    colour = other(serving.colour) if serving else BLUE
    return Planned(wanted, before, colour, steps.RELEASE, facts, tuple(found))


def rehearsed(site: Site, host: Host, wanted: str, *, passed: str = "") -> dict[str, Any]:
    """What the image's migrations do to a restored copy of this server's newest backup (`leitstand migrate rehearse`).

    The copy is gone afterwards, and what serves is asked nothing. Empty where nothing was released here yet.

    Raises:
        InvalidInput: the image is not named by its digest.
        PreconditionFailed: it is not ours, or has not passed staging: it would be given the keys of the backups.
        Unavailable: it can't be fetched, or a migration fails; the message has what it said.
    """
    found = preflight.refusals_of_image(site, image(wanted), passed=_is_passed(site, passed, wanted))
    steps.refuse(list(found), set())
    if serving_now(site, host) is None:
        return {}
    host.pull(wanted)
    said: dict[str, Any] = json.loads(host.one_shot(wanted, REHEARSE, seconds=REHEARSAL_SECONDS))
    return said


def _is_passed(site: Site, passed: str, wanted: str) -> bool:
    try:
        return bool(passed and passes.verified(passed, site.staging_key, wanted))
    except Forbidden:
        return False


def standing(site: Site) -> dict[str, Any]:
    """What serves, what is under way, and who holds the lock."""
    serving, held, left = (
        current(site.releases),
        lease.look(site.releases),
        journals.unfinished(site.releases),
    )
    free = held is None or held.over()
    return {
        "environment": site.environment,
        "serving": asdict(serving) if serving else None,
        "releasing": held.owner if held and not free else None,
        "unfinished": journals.summary(left) if left else None,
        "maintenance": (site.state / "maintenance.html").exists(),
    }
