"""Conditions of the object store of backups: it answers, the clocks agree, no rule deletes, nobody else archives there.

Pages ask for them at every view, so an answer is kept for a minute and nobody waits longer than two seconds.
"""

import time
from collections.abc import Callable, Iterator
from functools import lru_cache

from sqlalchemy import text
from sqlalchemy.orm import Session

from leitstand.backups.condition import Condition
from leitstand.errors import LeitstandError
from leitstand.settings import Settings
from leitstand.storage.objects import ObjectStorage
from leitstand.storage.removal import clock_difference
from leitstand.storage.retries import MOST_SKEW_SECONDS, ClockSkewed
from leitstand.storage.rules import deleting_rules
from leitstand.words import msg

KEPT_SECONDS = 60.0
LIMIT_SECONDS = 2
ARCHIVES = "postgres/"


def store_conditions(
    session: Session, settings: Settings, clusters: frozenset[str], *, fresh: bool = False
) -> list[Condition]:
    """What is wrong with the store of backups.

    Args:
        clusters: the servers that were ever backed up.
        fresh: ask it now, not what it said within the last minute.
    """
    if fresh:
        _asked.cache_clear()
    own = str(session.scalar(text("SELECT system_identifier FROM pg_control_system()")))
    return list(_asked(settings, clusters | {own}, int(time.monotonic() // KEPT_SECONDS)))


@lru_cache(maxsize=4)
def _asked(settings: Settings, ours: frozenset[str], _: int) -> tuple[Condition, ...]:
    storage = ObjectStorage(settings, limit_seconds=LIMIT_SECONDS, attempts=1)
    bucket = settings.bucket_backups
    checks: tuple[Callable[[], Iterator[Condition]], ...] = (
        lambda: _clock(storage, bucket),
        lambda: _rules(storage, bucket),
        lambda: _strangers(storage, bucket, ours),
    )
    try:
        return tuple(condition for check in checks for condition in check())
    except ClockSkewed as error:
        return (Condition("clock-skew", error.message, error.hint),)
    except LeitstandError as error:
        return (Condition("store-failing", error.message, error.hint or "See `leitstand storage probe`."),)


def _clock(storage: ObjectStorage, bucket: str) -> Iterator[Condition]:
    ahead = clock_difference(storage, bucket)
    if abs(ahead) > MOST_SKEW_SECONDS:
        yield Condition(
            "clock-skew",
            msg(
                "This machine's clock is {seconds:.0f} s ahead of the object store's: the store will refuse requests, and retention removes nothing.",
                seconds=ahead,
            )
            if ahead > 0
            else msg(
                "This machine's clock is {seconds:.0f} s behind the object store's: the store will refuse requests, and retention removes nothing.",
                seconds=-ahead,
            ),
            "Set the clock (timedatectl set-ntp true).",
        )


def _rules(storage: ObjectStorage, bucket: str) -> Iterator[Condition]:
    for rule in deleting_rules(storage, bucket):
        yield Condition(
            "lifecycle-rule",
            msg(
                "The rule {rule} of s3://{bucket} deletes objects by their age: backups and log that are still needed will go.",
                rule=rule,
                bucket=bucket,
            ),
            "Take the rule away; retention removes what may go. Then take a backup: `leitstand backup run postgres`.",
        )


def _strangers(storage: ObjectStorage, bucket: str, ours: frozenset[str]) -> Iterator[Condition]:
    """A cluster that has never had a backup here and yet has a folder: another server archives into our bucket."""
    for folder in storage.folders(bucket, ARCHIVES):
        identifier = folder.removeprefix(ARCHIVES).rstrip("/")
        # Some stores go on listing a folder that is empty by now.
        if identifier not in ours and next(storage.list(bucket, folder), None):
            yield Condition(
                "archive-stranger",
                msg(
                    "The cluster {identifier}, of which there is no backup, archives its log into s3://{bucket}.",
                    identifier=identifier,
                    bucket=bucket,
                ),
                "Give that server a bucket of its own; what it stored here is removed by nobody.",
            )
