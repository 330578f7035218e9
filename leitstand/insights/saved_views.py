"""Saved views: the choices of a dashboard under a name, one's own or shared with the workspace."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, func, or_, select, update
from sqlalchemy.orm import Session

from leitstand.catalogue.text import checked_title
from leitstand.db.models import SavedView
from leitstand.errors import Forbidden, InvalidInput, NotFound
from leitstand.identity import audit
from leitstand.identity.access import Principal, require
from leitstand.insights.undoing import is_there, note, take_away
from leitstand.words import msg

MOST = 200
MOST_CHOICES, LONGEST_NAME, LONGEST_VALUE, LONGEST_APP = 20, 40, 500, 40


def list_views(session: Session, *, principal: Principal, app: str = "") -> Sequence[SavedView]:
    """The principal's own views and those shared with the workspace, by name.

    Args:
        app: only those of this dashboard; empty: of all of them.

    Raises:
        Forbidden: without `insights:read`.
    """
    require(principal, "insights:read")
    query = select(SavedView).where(_seen(principal), SavedView.deleted_at.is_(None))
    if app:
        query = query.where(SavedView.app == app)
    return session.scalars(query.order_by(func.lower(SavedView.name), SavedView.id).limit(MOST)).all()


def first_view(session: Session, *, principal: Principal, app: str) -> SavedView | None:
    """The view with which a dashboard begins that is opened without choices: one's own, else the workspace's."""
    require(principal, "insights:read")
    mine = (SavedView.owner_id == principal.person_id) & SavedView.first_for_owner
    query = select(SavedView).where(
        SavedView.workspace_id == principal.workspace_id,
        SavedView.app == app,
        SavedView.deleted_at.is_(None),
        or_(mine, SavedView.first_for_all),
    )
    found = session.scalars(query).all()
    own = [view for view in found if view.owner_id == principal.person_id and view.first_for_owner]
    return next(iter([*own, *found]), None)


def save_view(
    session: Session,
    *,
    principal: Principal,
    app: str,
    name: str,
    choices: Mapping[str, str],
    shared: bool = False,
    first_for_me: bool = False,
) -> SavedView:
    """Keep the choices of a dashboard under a name.

    Raises:
        Forbidden: without `insights:write`.
        InvalidInput: the name, dashboard or choices are not fit, or there are too many views.
    """
    require(principal, "insights:write")
    if principal.person_id is None:
        raise InvalidInput("Only a person has views.")
    if not 0 < len(app) <= LONGEST_APP:
        raise InvalidInput("The dashboard has no name.")
    mine = (SavedView.owner_id == principal.person_id) & SavedView.deleted_at.is_(None)
    if (session.scalar(select(func.count()).select_from(SavedView).where(mine)) or 0) >= MOST:
        raise InvalidInput(
            msg("There may be at most {most} views of one's own.", most=MOST), hint="Delete some of them."
        )
    view = SavedView(
        workspace_id=principal.workspace_id,
        owner_id=principal.person_id,
        app=app,
        name=checked_title(name),
        choices=_checked(choices),
        shared=shared,
    )
    if first_for_me:
        _make_first(session, view, for_all=False)
    session.add(view)
    session.flush()
    note(session, principal, "save", view, after=_told(view))
    return view


def change_view(
    session: Session,
    *,
    principal: Principal,
    view_id: UUID,
    name: str | None = None,
    choices: Mapping[str, str] | None = None,
    shared: bool | None = None,
    first_for_me: bool | None = None,
    first_for_all: bool | None = None,
) -> SavedView:
    """Rename a view, give it other choices, share it or no longer, or let dashboards begin with it.

    What is None stays as it is. A view that is no longer shared is no longer the workspace's first one.

    Raises:
        Forbidden: it is another's; or, for the workspace's first view, without `workspace:manage`.
        NotFound: there is no such view.
        InvalidInput: the name or the choices are not fit, or the workspace's first view is not shared.
    """
    view = _get(session, principal, view_id)
    if first_for_all is not None:
        require(principal, "workspace:manage")
    if any(change is not None for change in (name, choices, shared, first_for_me)):
        _require_own(principal, view)
    before = _told(view)
    view.name = view.name if name is None else checked_title(name)
    view.choices = view.choices if choices is None else _checked(choices)
    view.shared = view.shared if shared is None else shared
    if not view.shared:
        view.first_for_all = False
    _set_first(session, view, first_for_me, first_for_all)
    view.updated_at = datetime.now(UTC)
    session.flush()
    was, now = audit.changed(before, _told(view))
    if now:
        note(session, principal, "change", view, before=was, after=now)
    return view


def delete_view(session: Session, *, principal: Principal, view_id: UUID) -> None:
    """Take a view away; for 30 days it can be restored.

    Raises:
        Forbidden, NotFound: as in `change_view`.
    """
    view = _get(session, principal, view_id)
    _require_own(principal, view)
    before = _told(view)
    view.first_for_owner = view.first_for_all = False
    take_away(session, view)
    note(session, principal, "delete", view, before=before)


def restore_view(session: Session, *, principal: Principal, view_id: UUID) -> SavedView:
    """Bring a deleted view back, first nowhere.

    Raises:
        Forbidden, NotFound: as in `change_view`.
    """
    view = _get(session, principal, view_id, deleted=True)
    _require_own(principal, view)
    view.deleted_at = None
    session.flush()
    note(session, principal, "restore", view, after=_told(view))
    return view


def may_change(principal: Principal, view: SavedView) -> bool:
    """Whether the view is the principal's own."""
    return principal.may("insights:write") and view.owner_id == principal.person_id


def _seen(principal: Principal) -> ColumnElement[bool]:
    mine = SavedView.owner_id == principal.person_id
    return (SavedView.workspace_id == principal.workspace_id) & or_(mine, SavedView.shared)


def _get(session: Session, principal: Principal, view_id: UUID, *, deleted: bool = False) -> SavedView:
    require(principal, "insights:write")
    query = select(SavedView).where(
        _seen(principal), SavedView.id == view_id, is_there(SavedView, deleted=deleted)
    )
    found = session.scalars(query.with_for_update()).one_or_none()
    if found is None:
        raise NotFound("There is no such view.")
    return found


def _require_own(principal: Principal, view: SavedView) -> None:
    if not may_change(principal, view):
        raise Forbidden("This view is somebody else's.", hint="Save one of your own with the same choices.")


def _set_first(
    session: Session, view: SavedView, first_for_me: bool | None, first_for_all: bool | None
) -> None:
    if first_for_me is not None:
        view.first_for_owner = False
        if first_for_me:
            _make_first(session, view, for_all=False)
    if first_for_all is not None:
        view.first_for_all = False
        if first_for_all:
            if not view.shared:
                raise InvalidInput("The workspace's first view is a shared one.", hint="Share it first.")
            _make_first(session, view, for_all=True)


def _make_first(session: Session, view: SavedView, *, for_all: bool) -> None:
    """Let the dashboard begin with this view; the one that was first before no longer is."""
    others = (SavedView.workspace_id == view.workspace_id) & (SavedView.app == view.app)
    if for_all:
        session.execute(update(SavedView).where(others).values(first_for_all=False))
        view.first_for_all = True
    else:
        mine = others & (SavedView.owner_id == view.owner_id)
        session.execute(update(SavedView).where(mine).values(first_for_owner=False))
        view.first_for_owner = True


def _checked(choices: Mapping[str, str]) -> dict[str, str]:
    fits = len(choices) <= MOST_CHOICES and all(
        len(name) <= LONGEST_NAME and len(value) <= LONGEST_VALUE and "\x00" not in name + value
        for name, value in choices.items()
    )
    if not fits:
        raise InvalidInput(
            msg(
                "A view holds at most {most_choices} choices of at most {longest_value} characters.",
                most_choices=MOST_CHOICES,
                longest_value=LONGEST_VALUE,
            )
        )
    return dict(choices)


def _told(view: SavedView) -> dict[str, Any]:
    names = ("app", "name", "choices", "shared", "first_for_owner", "first_for_all")
    return {name: getattr(view, name) for name in names}
