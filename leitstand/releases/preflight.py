"""What must be so before anything is changed: each refusal has a name, a sentence and the way out."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from leitstand.errors import LeitstandError
from leitstand.releases.host import Host
from leitstand.releases.images import Image
from leitstand.releases.site import GIB, Site
from leitstand.words import msg

SCHEMA, BACKUPS = "schema", "backups"
# What a person may take upon themselves, by its name; the others are never passed.
ACCEPTABLE = {"backup-old", "restore-unproven", "alerts-firing", "migrations-contract"}
PRODUCTION = "production"


@dataclass(frozen=True)
class Refusal:
    """One thing that stands in the way.

    Args:
        name: by which it is known, and accepted where that may be.
    """

    name: str
    says: str
    hint: str

    def to_dict(self) -> dict[str, str]:
        """JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class Facts:
    """What the images say of the database (`leitstand release facts WHAT`): the new one of the schema, the other of backups.

    Args:
        revision: of the schema; empty: the database is new.
        pending: revisions that the image would apply. contracting: those of them that an earlier release can't live with.
        unknown: whether the database is further than the image.
        migrating: whether a dump or another migration runs.
        backup_hours: age of the newest whole backup; None: there is none.
        proof_hours: since a restore was last proven; None: never.
        conditions: names of what is wrong with the backups.
    """

    revision: str = ""
    pending: tuple[str, ...] = ()
    contracting: tuple[str, ...] = ()
    unknown: bool = False
    migrating: bool = False
    backup_hours: float | None = None
    proof_hours: float | None = None
    conditions: tuple[str, ...] = ()

    @classmethod
    def read(cls, text: str) -> "Facts":
        """From the command's output."""
        values: dict[str, Any] = json.loads(text)
        plain: dict[str, Any] = {
            name: tuple(one) if isinstance(one, list) else one for name, one in values.items()
        }
        return cls(**plain)


def refusals_of_image(site: Site, image: Image, *, passed: bool) -> Iterator[Refusal]:
    """What is wrong with the image, before it is pulled.

    Args:
        passed: whether staging has passed it, proven by its signature.
    """
    if site.repository and image.repository != site.repository:
        yield Refusal(
            "image-not-ours",
            msg("{image} is not of {repository}.", image=image, repository=site.repository),
            "Give an image that our pipeline built.",
        )
    if site.environment == PRODUCTION and not passed:
        yield Refusal(
            "not-passed-staging",
            msg("{image} has not passed staging.", image=image),
            "Release it on staging first; `leitstand release promote-check` there gives its pass.",
        )


def refusals_of_host(site: Site, host: Host) -> Iterator[Refusal]:
    """What is wrong with the machine."""
    free = host.free_bytes()
    if free < site.free_bytes:
        yield Refusal(
            "disk-low",
            msg(
                "{free} GB of disk are free; {needed} GB are needed.",
                free=round(free / GIB, 1),
                needed=round(site.free_bytes / GIB, 1),
            ),
            "Remove what is not needed, or let the volume grow.",
        )
    yield from _firing(host.alerts())


def _firing(names: Sequence[str]) -> Iterator[Refusal]:
    if names:
        yield Refusal(
            "alerts-firing",
            msg("Alerts fire: {names}.", names=", ".join(names)),
            "Mend that first; or --accept alerts-firing, when this release does.",
        )


def refusals_of_facts(site: Site, facts: Facts) -> Iterator[Refusal]:
    """What is wrong with the database and its backups."""
    if facts.unknown:
        yield Refusal(
            "schema-newer",
            msg("The database is at {revision}, which this image does not know.", revision=facts.revision),
            "Use a later image.",
        )
    if facts.migrating:
        yield Refusal("dump-running", "A dump or a migration is running.", "Wait until it has ended.")
    if facts.contracting:
        yield Refusal(
            "migrations-contract",
            msg("Migrations contract the schema: {names}.", names=", ".join(facts.contracting)),
            "Release what only expands first; or --accept migrations-contract, and there is no way back.",
        )
    yield from _backup(site, facts)
    yield from _firing(facts.conditions)


def _backup(site: Site, facts: Facts) -> Iterator[Refusal]:
    if facts.backup_hours is None or facts.backup_hours > site.backup_hours:
        yield Refusal(
            "backup-old",
            msg(
                "The newest whole backup is {hours} h old; {most} h is the most.",
                hours=_said(facts.backup_hours),
                most=site.backup_hours,
            ),
            "`leitstand backup run postgres` takes one; or --accept backup-old.",
        )
    if facts.proof_hours is None or facts.proof_hours > site.proof_hours:
        yield Refusal(
            "restore-unproven",
            msg(
                "The last restore was proven {hours} h ago; {most} h is the most.",
                hours=_said(facts.proof_hours),
                most=site.proof_hours,
            ),
            "`leitstand drill run` proves one; or --accept restore-unproven.",
        )


def facts_of(host: Host, wanted: str, before: str) -> Facts | Refusal:
    """What the images say of the database, or that they say nothing.

    Args:
        before: the image that serves.
    """
    try:
        schema = _asked(host, wanted, SCHEMA)
        backups = _asked(host, before, BACKUPS)
    except (LeitstandError, ValueError, TypeError) as error:
        said = error.message if isinstance(error, LeitstandError) else "it printed no facts"
        return Refusal(
            "database-silent",
            msg("The image can't say how the database is: {said}", said=said),
            "See whether the database answers: `leitstand release status`.",
        )
    return replace(
        schema,
        backup_hours=backups.backup_hours,
        proof_hours=backups.proof_hours,
        conditions=backups.conditions,
    )


def _asked(host: Host, which: str, what: str) -> Facts:
    return Facts.read(host.one_shot(which, ["release", "facts", what]))


def _said(hours: float | None) -> str:
    return "∞" if hours is None else f"{hours:.1f}"
