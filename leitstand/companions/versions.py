"""Versions of a flow: saved and never changed, published under a link, rolled back."""

import re
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from leitstand.catalogue import companions as catalogue
from leitstand.catalogue.contents import write_flow
from leitstand.catalogue.editing import require_edit
from leitstand.catalogue.flow_uses import checked_uses
from leitstand.catalogue.items import get_item
from leitstand.companions.flow import Flow, kept, read_draft
from leitstand.db.models import Companion, CompanionVersion, Item
from leitstand.errors import Conflict, InvalidInput, NotFound
from leitstand.identity import audit
from leitstand.identity.access import Principal, require
from leitstand.words import N_, msg

KIND = "companion"
SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{1,58}[a-z0-9])")
RESERVED_SLUGS = frozenset({"static"})


@dataclass(frozen=True)
class Published:
    """What is open to visitors: the link's last part and the version's number."""

    companion_id: UUID
    slug: str
    number: int


def public_address(base_url: str, slug: str) -> str:
    """The address that visitors open."""
    return f"{base_url}/c/{slug}"


def save_version(
    session: Session, *, principal: Principal, companion_id: UUID, flow: Flow, seen: int | None = None
) -> int:
    """Keep `flow` as the next version and give its number; a flow equal to the newest makes no new one.

    Args:
        flow: one that can't be run yet is kept as a draft, which is not published.
        seen: the number of the newest version as the editor saw it (0: none); one saved since then is not
            overwritten.

    Raises:
        Forbidden: the principal may not change it.
        NotFound: there is no such companion.
        InvalidInput: it uses a control, space, person or group that the principal may not use.
        Conflict: somebody saved a version since `seen`.
    """
    item = _locked(session, principal, companion_id)
    require_edit(session, principal, item)
    if seen is not None and seen != catalogue.next_version(session, companion_id) - 1:
        raise Conflict(
            "Somebody changed this meanwhile.",
            hint="Load the page again, then make your change on what is there now.",
        )
    # What a condition may test of a control is known once the control was looked at.
    settled = read_draft(checked_uses(session, principal, flow.document()))
    return write_flow(session, principal, item, kept(settled))


def read_flow(
    session: Session, *, principal: Principal, companion_id: UUID, number: int | None = None
) -> tuple[int, Flow]:
    """A version's number and flow: the named one, else the published one, else the newest.

    Raises:
        NotFound: there is no such companion or version, or it has no flow yet.
    """
    get_item(session, principal=principal, item_id=companion_id, kind=KIND)
    published = session.scalar(select(Companion.published_version).where(Companion.item_id == companion_id))
    wanted = number or published
    query = select(CompanionVersion).where(CompanionVersion.companion_id == companion_id)
    if wanted is not None:
        query = query.where(CompanionVersion.number == wanted)
    row = session.scalars(query.order_by(CompanionVersion.number.desc()).limit(1)).first()
    if row is None:
        raise NotFound(
            msg("There is no version {version} of this companion.", version=wanted)
            if wanted
            else msg("There is no flow of this companion yet."),
            hint="`leitstand companion versions` lists what is there.",
        )
    return row.number, read_draft(row.flow)


def newest(session: Session, *, principal: Principal, companion_id: UUID) -> tuple[int, Flow | None]:
    """The newest version's number and flow; 0 and None where there is none yet.

    Raises:
        NotFound: there is no such companion.
    """
    get_item(session, principal=principal, item_id=companion_id, kind=KIND)
    number = catalogue.next_version(session, companion_id) - 1
    if not number:
        return 0, None
    return read_flow(session, principal=principal, companion_id=companion_id, number=number)


def step_back(session: Session, *, principal: Principal, companion_id: UUID) -> int:
    """Undo: make the flow before the newest the newest again, and give its number.

    Raises:
        Forbidden: the principal may not change it.
        NotFound: there is no such companion.
        Conflict: there is nothing before.
    """
    item = _locked(session, principal, companion_id)
    require_edit(session, principal, item)
    number = catalogue.next_version(session, companion_id) - 2
    if number < 1:
        raise Conflict("There is no version before this one.")
    _, flow = read_flow(session, principal=principal, companion_id=companion_id, number=number)
    return save_version(session, principal=principal, companion_id=companion_id, flow=flow)


def publish(
    session: Session,
    *,
    principal: Principal,
    companion_id: UUID,
    number: int | None = None,
    slug: str | None = None,
) -> Published:
    """Open a version to visitors, the newest where none is named; runs keep the version they began on.

    Args:
        number: the version.
        slug: the link's last part; where none is given the companion keeps its own, or gets one from its title.

    Raises:
        Forbidden: without `item:publish`.
        NotFound: there is no such companion or version.
        Conflict: it has no flow yet, or one that can't be run; or another companion has that link.
        InvalidInput: the slug can't be used.
    """
    require(principal, "item:publish")
    _locked(session, principal, companion_id)
    if slug is not None:
        _take_slug(session, principal, companion_id, slug)
    catalogue.publish(session, principal=principal, item_id=companion_id, version=number)
    companion = session.get_one(Companion, companion_id)
    published = companion.published_version or 0
    _, flow = read_flow(session, principal=principal, companion_id=companion_id, number=published)
    companion.funnel, companion.end_steps = flow.funnel, flow.ends
    session.flush()
    return Published(companion_id, companion.slug or "", published)


def roll_back(session: Session, *, principal: Principal, companion_id: UUID) -> Published:
    """Publish the version before the published one.

    Raises:
        Forbidden: without `item:publish`, or it is not theirs to change.
        NotFound: there is no such companion.
        Conflict: nothing is published, or nothing was saved before it.
    """
    require(principal, "item:publish")
    require_edit(session, principal, _locked(session, principal, companion_id))
    published = session.scalar(select(Companion.published_version).where(Companion.item_id == companion_id))
    if published is None:
        raise Conflict("Nothing of this companion is published.", hint="Publish a version first.")
    earlier = session.scalar(
        select(func.max(CompanionVersion.number)).where(
            CompanionVersion.companion_id == companion_id, CompanionVersion.number < published
        )
    )
    if earlier is None:
        raise Conflict(
            msg("Version {published} is the first: there is none to go back to.", published=published),
            hint="Withdraw the companion to close it to visitors.",
        )
    return publish(session, principal=principal, companion_id=companion_id, number=earlier)


def checked_slug(slug: str) -> str:
    """A link's last part, in lower case.

    Raises:
        InvalidInput: it has other characters, is too short or too long, or is taken by the runtime itself.
    """
    lowered = slug.strip().lower()
    if not SLUG.fullmatch(lowered) or lowered in RESERVED_SLUGS:
        hint = N_("Use 3 to 60 letters a-z, digits and hyphens, with a letter or digit at both ends.")
        raise InvalidInput(msg("{slug!r} can't be a link.", slug=slug[:80]), hint=hint)
    return lowered


def _take_slug(session: Session, principal: Principal, companion_id: UUID, slug: str) -> None:
    wanted = checked_slug(slug)
    # Two companions that want one link at once must not both pass the question below.
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"companion-slug:{wanted}", 0))))
    owner = session.scalar(select(Companion.item_id).where(Companion.slug == wanted))
    if owner not in (None, companion_id):
        raise Conflict(msg("The link {wanted!r} is taken.", wanted=wanted), hint="Choose another one.")
    companion = session.get_one(Companion, companion_id)
    if companion.slug != wanted:
        before, companion.slug = companion.slug, wanted
        session.flush()
        audit.record(
            session,
            principal=principal,
            action="companion.link",
            target=f"{KIND}:{companion_id}",
            before={"slug": before},
            after={"slug": wanted},
        )


def _locked(session: Session, principal: Principal, companion_id: UUID) -> Item:
    """The companion's item, locked: versions are numbered and published one at a time."""
    return get_item(session, principal=principal, item_id=companion_id, kind=KIND, for_update=True)
