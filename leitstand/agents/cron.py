"""When a schedule is due: cron with five fields in a zone, by the rules of cron when clocks change."""

from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from leitstand.errors import InvalidInput
from leitstand.words import N_, msg

LONGEST = 100
# Each run asks a model and costs money: a schedule that was meant for each day must not be one for each minute.
LEAST = timedelta(minutes=5)
LOOKED_AT = 50


def checked(cron: str, zone: str) -> str:
    """The cron with single blanks.

    Raises:
        InvalidInput: it is none of five fields, never comes, or comes more often than every five minutes.
    """
    text = " ".join(cron.split())
    hint = N_("Write minute, hour, day, month and weekday: 0 7 * * 1-5 is each working day at seven.")
    try:
        # cron has more than one way to be long and slow; ours are short.
        if len(text) > LONGEST or len(text.split()) != 5:
            raise CronSimError
        instants = [at.astimezone(UTC) for at in islice(_instants(text, zone, datetime.now(UTC)), LOOKED_AT)]
    except CronSimError:
        raise InvalidInput(msg("{cron!r} is no schedule.", cron=cron[:LONGEST]), hint=hint) from None
    if not instants:
        raise InvalidInput(msg("{cron!r} never comes.", cron=text), hint=hint)
    if any(second - first < LEAST for first, second in pairwise(instants)):
        raise InvalidInput(
            "A schedule comes at most every five minutes.", hint="Write */5 as the minute, or more."
        )
    return text


def next_instant(cron: str, zone: str, *, after: datetime) -> datetime | None:
    """The first instant of a schedule after another one, in UTC; None where there is none any more."""
    found = next(iter(_instants(cron, zone, after)), None)
    return found.astimezone(UTC) if found else None


def _instants(cron: str, zone: str, after: datetime) -> CronSim:
    return CronSim(cron, after.astimezone(ZoneInfo(zone)))
