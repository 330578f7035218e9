"""Whether a colour that people use does well: what it answers by errors, and what it is slow with."""

import time
from collections.abc import Callable

from leitstand.errors import Unavailable
from leitstand.releases.host import SLOW_SECONDS, Host, Sample
from leitstand.releases.site import Site
from leitstand.words import N_, msg

# One look may fall into a moment; two in a row don't.
PATIENT_LOOKS = 2


def wrong_with(site: Site, seen: Sample) -> str:
    """Why such answers are no good; empty: they are.

    Args:
        seen: since the colour was taken into rotation.
    """
    if seen.requests < 0:
        return msg("It was started again by itself.")
    if seen.requests < site.fewest:
        return ""
    if seen.errors > site.error_share * seen.requests:
        return msg("{errors} of {requests} answers were errors.", errors=seen.errors, requests=seen.requests)
    if seen.slow > site.slow_share * seen.requests:
        return msg(
            "{slow} of {requests} answers took more than {seconds} s.",
            slow=seen.slow,
            requests=seen.requests,
            seconds=SLOW_SECONDS,
        )
    return ""


def observe(site: Site, host: Host, colour: str, tell: Callable[[str], None]) -> dict[str, object]:
    """Watch a colour for as long as the site says; what was seen.

    Raises:
        Unavailable: it does not do well.
    """
    began, first, seen, looks_unready = time.monotonic(), host.sample(colour), Sample(), 0
    while time.monotonic() < began + site.observe_seconds:
        time.sleep(min(site.poll_seconds, site.observe_seconds))
        seen = host.sample(colour).since(first)
        unready = host.not_ready(colour)
        looks_unready = looks_unready + 1 if unready else 0
        wrong = wrong_with(site, seen)
        if looks_unready >= PATIENT_LOOKS:
            wrong = msg("It is not ready any more: {names}.", names=", ".join(sorted(unready)))
        if wrong:
            raise Unavailable(wrong, hint=N_("The release before is brought back."))
        tell(f"{seen.requests} requests, {seen.errors} errors, {seen.slow} slow")
    return {
        "requests": seen.requests,
        "errors": seen.errors,
        "slow": seen.slow,
        "seconds": round(time.monotonic() - began, 1),
    }
