"""The organisation's own settings: what it is called and in which zone its figures are counted."""

from sqlalchemy.orm import Session

from leitstand.db.models import Workspace
from leitstand.errors import Conflict, InvalidInput
from leitstand.identity import audit
from leitstand.identity.access import Principal, require
from leitstand.identity.workspaces import checked_zone
from leitstand.words import msg
from leitstand.words.letters import without_controls

NAME_LENGTH = 100


def get_organisation(session: Session, *, principal: Principal) -> Workspace:
    """The principal's workspace.

    Raises:
        Forbidden: without `workspace:manage`.
    """
    require(principal, "workspace:manage")
    return session.get_one(Workspace, principal.workspace_id)


def update_organisation(
    session: Session,
    *,
    principal: Principal,
    name: str | None = None,
    zone: str | None = None,
    seen: tuple[str, str] | None = None,
) -> Workspace:
    """Change what is given and leave the rest.

    Args:
        name: what people read.
        zone: the IANA zone in which figures are counted by day; those of the past are counted afresh.
        seen: name and zone as the editor saw them; a change made since then is not overwritten.

    Raises:
        Forbidden: without `workspace:manage`.
        InvalidInput: the name or the zone can't be used.
        Conflict: somebody changed it since `seen`.
    """
    require(principal, "workspace:manage")
    workspace = session.get_one(
        Workspace, principal.workspace_id, with_for_update=True, populate_existing=True
    )
    before = _facts(workspace)
    if seen is not None and seen != (workspace.name, workspace.reporting_zone):
        raise Conflict(
            "Somebody changed this meanwhile.",
            hint="Load the page again, then make your change on what is there now.",
        )
    if zone is not None:
        zone = checked_zone(zone)
    if name is not None:
        workspace.name = checked_name(name)
    if zone is not None:
        workspace.reporting_zone = zone
    old, new = audit.changed(before, _facts(workspace))
    if new:
        session.flush()
        target = f"workspace:{workspace.id}"
        audit.record(
            session, principal=principal, action="workspace.update", target=target, before=old, after=new
        )
    return workspace


def checked_name(name: str) -> str:
    """An organisation's name on one line.

    Raises:
        InvalidInput: nothing is left of it, or it is too long.
    """
    plain = " ".join(without_controls(name).split())
    if not plain:
        raise InvalidInput("The name is empty.", hint="Give the organisation's name as people know it.")
    if len(plain) > NAME_LENGTH:
        raise InvalidInput(msg("The name may have at most {most} characters.", most=NAME_LENGTH))
    return plain


def _facts(workspace: Workspace) -> dict[str, str]:
    return {"name": workspace.name, "zone": workspace.reporting_zone}
