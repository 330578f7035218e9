"""Companions: listed, made, changed, published, put into the trash."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Body, Depends, Query, Response, status

from api.companion_models import CompanionChange, CompanionIn, CompanionOut, PublishIn, VersionOut
from api.flow_models import AnswerOut, FlowOut, FlowProblem, FlowProblems, HandedOverOut
from api.items.filters import PAGE_SIZE, Limit, Wanted
from api.items.history import add_history
from api.items.models import RollBackIn
from api.items.tags import IfMatch, check_match, etag_of
from api.models import ItemOut, ItemPage, item_page
from leitstand.catalogue import companions, items, trash
from leitstand.catalogue import versions as history
from leitstand.catalogue.listing import find
from leitstand.companions import versions
from leitstand.companions.flow import parse_flow, problems
from leitstand.companions.handovers import list_handovers, take_up
from leitstand.identity.access import Principal
from leitstand.settings import get_settings
from serving.idempotency import OnceRoute
from serving.session import CurrentPrincipal, Db, require_csrf

router = APIRouter(prefix="/companions", tags=["companions"], route_class=OnceRoute)
CSRF = [Depends(require_csrf)]


@router.get("")
def list_companions(
    session: Db,
    principal: CurrentPrincipal,
    wanted: Wanted,
    cursor: str | None = None,
    limit: Limit = PAGE_SIZE,
) -> ItemPage:
    """The companions that match, a page at a time."""
    filters = wanted.of(companions.KIND)
    found = find(session, principal=principal, filters=filters, cursor=cursor, limit=limit)
    return item_page(found.items, found.cursor)


@router.post("", status_code=status.HTTP_201_CREATED, dependencies=CSRF)
def create_companion(
    session: Db, principal: CurrentPrincipal, new: CompanionIn, response: Response
) -> CompanionOut:
    """Make a companion: a draft without a flow."""
    item = companions.create(session, principal=principal, **new.model_dump())
    response.headers["Location"] = f"/api/v1/companions/{item.id}"
    return _shown(session, principal, item.id)


@router.get("/{item_id}")
def get_companion(
    session: Db, principal: CurrentPrincipal, item_id: UUID, response: Response
) -> CompanionOut:
    """One companion with its link and versions; its ETag goes into the If-Match of a change."""
    item = items.get_item(session, principal=principal, item_id=item_id, kind=companions.KIND)
    response.headers["ETag"] = etag_of(item)
    return _shown(session, principal, item_id)


@router.patch("/{item_id}", dependencies=CSRF)
def change_companion(
    session: Db,
    principal: CurrentPrincipal,
    item_id: UUID,
    change: CompanionChange,
    response: Response,
    if_match: IfMatch = None,
) -> CompanionOut:
    """Change title, description, tags or visibility."""
    item = items.get_item(
        session, principal=principal, item_id=item_id, kind=companions.KIND, for_update=True
    )
    check_match(item, if_match)
    items.update_item(session, principal=principal, item_id=item_id, **change.model_dump())
    response.headers["ETag"] = etag_of(item)
    return _shown(session, principal, item_id)


@router.delete("/{item_id}", status_code=status.HTTP_204_NO_CONTENT, dependencies=CSRF)
def delete_companion(
    session: Db, principal: CurrentPrincipal, item_id: UUID, if_match: IfMatch = None
) -> None:
    """Put a companion into the trash."""
    item = items.get_item(
        session, principal=principal, item_id=item_id, kind=companions.KIND, for_update=True
    )
    check_match(item, if_match)
    trash.trash_item(session, principal=principal, item_id=item_id)


@router.get("/{item_id}/flow")
def get_flow(
    session: Db,
    principal: CurrentPrincipal,
    item_id: UUID,
    response: Response,
    version: Annotated[int | None, Query(ge=1, le=2_147_483_647)] = None,
) -> FlowOut:
    """A version's flow: the named one, else the published one, else the newest."""
    item = items.get_item(session, principal=principal, item_id=item_id, kind=companions.KIND)
    response.headers["ETag"] = etag_of(item)
    number, flow = versions.read_flow(session, principal=principal, companion_id=item_id, number=version)
    return FlowOut(version=number, flow=flow.document())


@router.get("/{item_id}/flow/problems")
def flow_problems(
    session: Db,
    principal: CurrentPrincipal,
    item_id: UUID,
    version: Annotated[int | None, Query(ge=1, le=2_147_483_647)] = None,
) -> FlowProblems:
    """Why a version's flow can't be run yet: of the named one, else of the newest."""
    number = version or versions.newest(session, principal=principal, companion_id=item_id)[0]
    _, flow = versions.read_flow(session, principal=principal, companion_id=item_id, number=number)
    return FlowProblems(version=number, problems=[FlowProblem(**fault) for fault in problems(flow)])


@router.put("/{item_id}/flow", dependencies=CSRF)
def save_flow(
    session: Db,
    principal: CurrentPrincipal,
    item_id: UUID,
    flow: Annotated[dict[str, Any], Body()],
    response: Response,
    if_match: IfMatch = None,
) -> FlowOut:
    """Save a flow as the next version; one equal to the newest makes no new one."""
    item = items.get_item(
        session, principal=principal, item_id=item_id, kind=companions.KIND, for_update=True
    )
    check_match(item, if_match)
    parsed = parse_flow(flow)
    number = versions.save_version(session, principal=principal, companion_id=item_id, flow=parsed)
    response.headers["ETag"] = etag_of(item)
    return FlowOut(version=number, flow=parsed.document())


@router.post("/{item_id}/publish", dependencies=CSRF)
def publish_companion(
    session: Db, principal: CurrentPrincipal, item_id: UUID, wanted: PublishIn | None = None
) -> CompanionOut:
    """Open a version to visitors, the newest where none is named."""
    number = wanted.version if wanted else None
    versions.publish(session, principal=principal, companion_id=item_id, number=number)
    return _shown(session, principal, item_id)


@router.post("/{item_id}/roll-back", dependencies=CSRF)
def roll_back_companion(
    session: Db, principal: CurrentPrincipal, item_id: UUID, wanted: RollBackIn | None = None
) -> CompanionOut:
    """Open the version before the published one; where a version is named, save its flow as the newest instead."""
    if wanted and wanted.version:
        history.roll_back(
            session, principal=principal, item_id=item_id, number=wanted.version, kind=companions.KIND
        )
    else:
        versions.roll_back(session, principal=principal, companion_id=item_id)
    return _shown(session, principal, item_id)


@router.get("/{item_id}/handovers")
def handovers(session: Db, principal: CurrentPrincipal, item_id: UUID) -> list[HandedOverOut]:
    """Runs that the flow handed over to you, all of them for whoever may change it; newest first, at most 100."""
    found = list_handovers(session, principal=principal, companion_id=item_id)
    return [
        HandedOverOut(
            run_id=one.run_id,
            at=one.at,
            to=one.to,
            answers=[AnswerOut(step=step, answer=answer) for step, answer in one.answers],
            taken_by=one.taken_by,
            taken_at=one.taken_at,
        )
        for one in found
    ]


@router.post(
    "/{item_id}/handovers/{run_id}/take-up", status_code=status.HTTP_204_NO_CONTENT, dependencies=CSRF
)
def take_up_run(session: Db, principal: CurrentPrincipal, item_id: UUID, run_id: UUID) -> None:
    """Say that you look after a run that was handed over."""
    take_up(session, principal=principal, companion_id=item_id, run_id=run_id)


@router.post("/{item_id}/withdraw", dependencies=CSRF)
def withdraw_companion(session: Db, principal: CurrentPrincipal, item_id: UUID) -> CompanionOut:
    """Close a companion to visitors."""
    companions.withdraw(session, principal=principal, item_id=item_id)
    return _shown(session, principal, item_id)


@router.post("/{item_id}/archive", dependencies=CSRF)
def archive_companion(session: Db, principal: CurrentPrincipal, item_id: UUID) -> CompanionOut:
    """Put a companion aside."""
    companions.archive(session, principal=principal, item_id=item_id)
    return _shown(session, principal, item_id)


add_history(router, companions.KIND)


def _shown(session: Db, principal: Principal, item_id: UUID) -> CompanionOut:
    found = companions.get(session, principal=principal, item_id=item_id)
    slug, number = found.companion.slug, found.companion.published_version
    link = versions.public_address(get_settings().base_url, slug) if slug and number else None
    return CompanionOut(
        **ItemOut.model_validate(found.item).model_dump(),
        slug=slug,
        link=link,
        published_version=number,
        versions=[VersionOut.model_validate(version) for version in found.versions],
    )
