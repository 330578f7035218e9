"""Annotations of the time line: releases, incidents and notes."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, status

from api.models import AnnotationIn, AnnotationOut
from api.moments import Day
from leitstand.db.models import Annotation
from leitstand.identity.access import Principal
from leitstand.identity.workspaces import checked_zone
from leitstand.insights import annotations
from serving.idempotency import OnceRoute
from serving.session import CurrentPrincipal, Db, require_csrf

router = APIRouter(prefix="/insights/annotations", tags=["insights"], route_class=OnceRoute)
CSRF = [Depends(require_csrf)]


@router.get("")
def list_annotations(
    session: Db,
    principal: CurrentPrincipal,
    start: Annotated[Day, Query(alias="from")],
    end: Annotated[Day, Query(alias="to")],
    zone: Annotated[str, Query(max_length=100)] = "",
) -> list[AnnotationOut]:
    """What happened in a range of local days (half-open), oldest first."""
    zone = checked_zone(zone or principal.zone)
    found = annotations.list_annotations(session, principal=principal, start=start, end=end, zone=zone)
    return [_shown(principal, one) for one in found]


@router.post("", status_code=status.HTTP_201_CREATED, dependencies=CSRF)
def add_annotation(session: Db, principal: CurrentPrincipal, new: AnnotationIn) -> AnnotationOut:
    """Note what happened on a day or at an instant."""
    return _shown(principal, annotations.add_annotation(session, principal=principal, **new.model_dump()))


@router.put("/{annotation_id}", dependencies=CSRF)
def change_annotation(
    session: Db, principal: CurrentPrincipal, annotation_id: UUID, change: AnnotationIn
) -> AnnotationOut:
    """Give an annotation another kind, text and time."""
    found = annotations.change_annotation(
        session, principal=principal, annotation_id=annotation_id, **change.model_dump()
    )
    return _shown(principal, found)


@router.delete("/{annotation_id}", status_code=status.HTTP_204_NO_CONTENT, dependencies=CSRF)
def delete_annotation(session: Db, principal: CurrentPrincipal, annotation_id: UUID) -> None:
    """Take an annotation away."""
    annotations.delete_annotation(session, principal=principal, annotation_id=annotation_id)


@router.post("/{annotation_id}/restore", dependencies=CSRF)
def restore_annotation(session: Db, principal: CurrentPrincipal, annotation_id: UUID) -> AnnotationOut:
    """Bring a deleted annotation back."""
    return _shown(
        principal, annotations.restore_annotation(session, principal=principal, annotation_id=annotation_id)
    )


def _shown(principal: Principal, annotation: Annotation) -> AnnotationOut:
    shown = AnnotationOut.model_validate(annotation)
    return shown.model_copy(update={"mine_to_change": annotations.may_change(principal, annotation)})
