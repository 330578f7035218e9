"""Workspaces: made once by name, found by name."""

import re
from collections.abc import Sequence
from functools import lru_cache
from zoneinfo import available_timezones

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from leitstand.db.models import Workspace
from leitstand.db.models.base import new_id
from leitstand.errors import InvalidInput, NotFound
from leitstand.words import N_, msg

SLUG = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")


def ensure_workspace(session: Session, *, slug: str, name: str | None = None, zone: str = "UTC") -> Workspace:
    """The workspace of that slug, made if there is none; an existing one is left as it is.

    Args:
        slug: its short name; letters' case does not matter.
        name: what people read; the slug where none is given.
        zone: the IANA zone in which a new one reports.

    Raises:
        InvalidInput: the slug or the zone can't be used.
    """
    slug = checked_slug(slug)
    row = {"id": new_id(), "slug": slug, "name": name or slug, "reporting_zone": checked_zone(zone)}
    session.execute(insert(Workspace).values(row).on_conflict_do_nothing(index_elements=["slug"]))
    return session.execute(select(Workspace).where(Workspace.slug == slug)).scalar_one()


def find_workspace(session: Session, slug: str) -> Workspace:
    """The workspace of that slug.

    Raises:
        NotFound: there is none.
    """
    found = session.execute(
        select(Workspace).where(Workspace.slug == slug.strip().lower())
    ).scalar_one_or_none()
    if found is None:
        hint = N_(
            "`leitstand workspace list` shows the workspaces; `leitstand events import FILE --workspace NAME` makes a new one."
        )
        raise NotFound(msg("There is no workspace {slug!r}.", slug=slug), hint=hint)
    return found


def list_workspaces(session: Session) -> Sequence[Workspace]:
    """Every workspace, by slug."""
    return session.execute(select(Workspace).order_by(Workspace.slug)).scalars().all()


def checked_slug(slug: str) -> str:
    """The slug in lower case.

    Raises:
        InvalidInput: it has other characters than letters, digits, dot, hyphen and underscore, or is too long.
    """
    lowered = slug.strip().lower()
    if not SLUG.fullmatch(lowered):
        hint = N_(
            "Use at most 63 letters a-z, digits, hyphens, dots and underscores, and begin with a letter or digit."
        )
        raise InvalidInput(msg("{slug!r} can't be the name of a workspace.", slug=slug), hint=hint)
    return lowered


def checked_zone(zone: str) -> str:
    """The zone's name, if it is in the IANA database.

    Raises:
        InvalidInput: there is no such zone.
    """
    if zone not in _zones():
        hint = N_("Use an IANA zone such as Europe/Berlin, America/New_York or UTC; an offset is not a zone.")
        raise InvalidInput(msg("There is no time zone {zone!r}.", zone=zone), hint=hint)
    return zone


@lru_cache(maxsize=1)
def zone_names() -> tuple[str, ...]:
    """The zones that people choose from, by name: those of places, and UTC."""
    placed = (zone for zone in _zones() if "/" in zone and not zone.startswith(("Etc/", "SystemV/")))
    return tuple(sorted({*placed, "UTC"}))


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    """The zones that are in the IANA database; a few names that only some machines know are left out."""
    return frozenset(available_timezones() - {"localtime", "Factory"})
