"""Who is signed in, what they may see, and what they used last."""

from fastapi import APIRouter, Depends

from api.models import AreaOut, GroupOut, ItemOut, MeIn, MeOut, RecentOut, WorkspaceOut
from leitstand.catalogue.areas import visible_groups
from leitstand.catalogue.recents import list_recents
from leitstand.identity import people
from leitstand.identity.access import Principal
from leitstand.identity.sessions import csrf_token
from serving.idempotency import OnceRoute
from serving.session import CurrentPrincipal, Db, require_csrf

router = APIRouter(tags=["me"], route_class=OnceRoute)


@router.get("/me")
def get_me(principal: CurrentPrincipal) -> MeOut:
    """The person and workspace of this session."""
    return _me(principal)


@router.patch("/me", dependencies=[Depends(require_csrf)])
def change_me(session: Db, principal: CurrentPrincipal, change: MeIn) -> MeOut:
    """Change one's own name, theme, language or zone."""
    person = people.update_profile(session, principal=principal, **change.model_dump())
    now = {field: getattr(person, field) for field in MeIn.model_fields}
    return _me(principal).model_copy(update=now)


@router.get("/areas")
def list_areas(principal: CurrentPrincipal) -> list[GroupOut]:
    """The navigation as this person sees it."""
    return [
        GroupOut(title=group.title, areas=[AreaOut.model_validate(area) for area in group.areas])
        for group in visible_groups(principal)
    ]


@router.get("/recents", name="list_recents")
def recents(session: Db, principal: CurrentPrincipal) -> list[RecentOut]:
    """What the person last opened, created or edited, newest first."""
    found = list_recents(session, principal=principal)
    return [RecentOut(item=ItemOut.model_validate(item), used_at=recent.used_at) for item, recent in found]


def _me(principal: Principal) -> MeOut:
    workspace = WorkspaceOut(id=principal.workspace_id, name=principal.workspace_name, zone=principal.zone)
    return MeOut(
        id=principal.person_id,
        name=principal.name,
        email=principal.email,
        role=principal.role,
        permissions=sorted(principal.permissions),
        theme=principal.theme,
        language=principal.language,
        zone=principal.own_zone,
        workspace=workspace,
        csrf_token=csrf_token(principal),
    )
