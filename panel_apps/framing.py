"""What every dashboard of figures asks before its own questions: names, tags, days with data, a range to begin with."""

from datetime import date
from uuid import UUID

from sqlalchemy.orm import Session

from leitstand.db.models import Item
from leitstand.errors import NotFound
from leitstand.identity.access import Principal
from leitstand.insights import companions, spread, tags
from leitstand.insights.scope import EARLIEST, LATEST, Scope, data_days, find_companion
from panel_apps.ranges import DAY, TRIED, Suggestion, suggest

MOST_COMPANIONS = 500


def companion_names(session: Session, workspace_id: UUID, unnamed: tuple[UUID, ...]) -> dict[str, str]:
    """Names of the companions with runs by id, the most used ones first (at most 500), without the `unnamed`."""
    whole = Scope(workspace_id, None, EARLIEST, LATEST, "UTC", unnamed=unnamed)
    found = companions.top(session, whole, limit=MOST_COMPANIONS)
    return dict(zip(found["companion_id"].astype(str), found["companion"], strict=True))


def known_tags(session: Session, principal: Principal) -> list[str]:
    """The tags that companions have."""
    return tags.tags_in_use(session, principal=principal)


def tagged(session: Session, principal: Principal, tag: str) -> tuple[UUID, ...]:
    """Ids of the companions with a tag."""
    return tags.tagged(session, principal=principal, tag=_kept(tag))


def find(session: Session, workspace_id: UUID, word: str, unnamed: tuple[UUID, ...]) -> UUID | None:
    """The companion that a word of the address names; None where there is none that may be named."""
    try:
        return find_companion(session, workspace_id, _kept(word), unnamed=unnamed)
    except NotFound:
        return None


def _kept(word: str) -> str:
    """A word as a database can have it."""
    return word.replace("\x00", "").encode(errors="replace").decode()


def title_of(session: Session, companion_id: UUID) -> str:
    """What a companion is called."""
    item = session.get(Item, companion_id)
    return item.title if item else ""


def days_with_data(session: Session, scope: Scope) -> tuple[date | None, date | None]:
    """The first and the last local day on which anything happened, whatever the scope's range."""
    return data_days(session, scope)


def suggestion(session: Session, scope: Scope, today: date) -> Suggestion:
    """The range to begin with, by how the runs lie in time."""
    lengths = [int(word.removeprefix("last-")) for word in TRIED]
    total, within = spread.runs_since(session, scope, [today - (length - 1) * DAY for length in lengths])
    return suggest(total, dict(zip(TRIED, within, strict=True)))
