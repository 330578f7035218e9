"""Nothing of one workspace is seen through any page, endpoint or core function of another."""

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from api import app as api_app
from leitstand.catalogue import companions, favorites, items, recents, search, trash, usage
from leitstand.companions import versions
from leitstand.companions.flow import parse_flow
from leitstand.db.models import AuditEntry, EventImport, Item, Workspace
from leitstand.errors import NotFound
from leitstand.identity import audit_log
from leitstand.identity.access import ROLES, Principal
from leitstand.settings import Settings
from tests.people import Visitor, join, visit
from web import app as web_app
from web.popular import popular_items
from web.routes.flows import example

SECRET = "Zebrafink"
# Their answers are the same for everybody: files, health, the installation's own operations.
EVERYBODYS = ("/static/", "/favicon.ico", "/livez", "/readyz", "/proxyz", "/metrics", "/sign-in/callback")


@dataclass
class Other:
    """A workspace full of things that nobody else may see."""

    principal: Principal
    live: UUID
    trashed: UUID


@pytest.fixture
def other(session: Session) -> Other:
    workspace = Workspace(slug="other", name=f"{SECRET} Ltd")
    session.add(workspace)
    session.commit()
    person = join(session, workspace, name=f"{SECRET} Owner", email="zebrafink@other.test")
    principal = Principal(person.id, workspace.id, person.name, person.email, "owner", ROLES["owner"])
    live, gone = (
        companions.create(session, principal=principal, title=f"{SECRET} {n}", tags=[SECRET]) for n in (1, 2)
    )
    versions.save_version(
        session, principal=principal, companion_id=live.id, flow=parse_flow(example(SECRET))
    )
    versions.publish(session, principal=principal, companion_id=live.id)
    favorites.add_favorite(session, principal=principal, item_id=live.id)
    recents.note_use(session, principal=principal, item=live)
    trash.trash_item(session, principal=principal, item_id=gone.id)
    session.add(
        EventImport(
            workspace_id=workspace.id, file_name=f"{SECRET}.csv", file_sha256="x", file_bytes=1, log_id=live.id,
            options={}, finished_at=datetime.now(UTC),
        )
    )  # fmt: skip
    session.commit()
    return Other(principal, live.id, gone.id)


def routes(module: object, prefix: str = "") -> list[tuple[str, str]]:
    """Every (method, path) of an application's routers."""
    found = []
    for part in module.MODULES:  # type: ignore[attr-defined]
        for route in part.router.routes:
            assert isinstance(route, APIRoute)
            found += [(method, prefix + route.path) for method in route.methods]
    return sorted(found)


def filled(path: str, item_id: UUID) -> str:
    path = re.sub(r"\{[a-z]+_id\}", str(item_id), path)
    path = re.sub(r"\{(number|first|second)\}", "1", path)
    return path.replace("{rest:path}", "x").replace("{name}", "app.css")


def changes(session: Session) -> tuple[object, ...]:
    session.expire_all()
    rows = session.execute(
        select(Item.id, Item.updated_at, Item.deleted_at, Item.status, Item.title).order_by(Item.id)
    ).all()
    return (
        *rows,
        session.scalar(
            select(func.count()).select_from(AuditEntry).where(AuditEntry.target.contains("companion"))
        ),
    )


@pytest.fixture(params=["web", "api"])
def surface(request: pytest.FixtureRequest, settings: Settings) -> tuple[FastAPI, list[tuple[str, str]]]:
    if request.param == "web":
        return web_app.create(), routes(web_app)
    return api_app.create(), routes(api_app, api_app.PREFIX)


def test_no_page_and_no_endpoint_tells_of_another_workspace(
    surface: tuple[FastAPI, list[tuple[str, str]]], session: Session, workspace: Workspace, other: Other
) -> None:
    application, paths = surface
    visitor = visit(application, session, join(session, workspace))
    asked = 0
    for method, path in paths:
        if method != "GET" or path.startswith(EVERYBODYS):
            continue
        for item_id in (other.live, other.trashed):
            address = filled(path, item_id)
            answer = visitor.get(address)
            assert SECRET.lower() not in answer.text.lower(), address
            assert answer.status_code in {200, 204, 301, 303, 404, 422}, address
            if "{item_id}" in path or "{session_id}" in path:
                assert answer.status_code == 404, address
            asked += 1
    assert asked > 20
    for address in (f"/search?q={SECRET}", f"/companions?q={SECRET}", f"/api/v1/companions?q={SECRET}"):
        found = (
            visitor.piece(address)
            .text.lower()
            .replace(f"“{SECRET.lower()}”", "")
            .replace(f"q={SECRET.lower()}", "")
        )
        assert SECRET.lower() not in found.replace(f'value="{SECRET.lower()}"', "")


def test_no_write_reaches_another_workspace(
    surface: tuple[FastAPI, list[tuple[str, str]]], session: Session, workspace: Workspace, other: Other
) -> None:
    application, paths = surface
    visitor = visit(application, session, join(session, workspace))
    before, asked = changes(session), 0
    for method, path in paths:
        if method == "GET" or not ("{item_id}" in path or "{session_id}" in path):
            continue
        for item_id in (other.live, other.trashed):
            answer = write(visitor, method, filled(path, item_id))
            harmless = (method == "DELETE" and "favorites" in path) or path.endswith("/remove")
            assert answer.status_code == (404 if not harmless else answer.status_code), f"{method} {path}"
            asked += 1
    assert asked >= 18
    assert changes(session) == before
    assert [item.id for item in favorites.list_favorites(session, principal=other.principal)] == [other.live]


# Where a body without anything in it is refused before it is asked whose the item is.
BODIES: dict[str, dict[str, Any]] = {
    r"/flow$": example("x"),
    r"/(threads|edits)$": {"text": "Taken"},
    r"/schedules$": {"cron": "0 7 * * 1"},
    r"/schedules/[^/]+$": {"active": False},
}


def write(visitor: Visitor, method: str, address: str) -> object:
    if address.startswith("/api"):
        body = next((body for end, body in BODIES.items() if re.search(end, address)), {})
        headers = {"X-CSRF-Token": visitor.csrf}
        return visitor.client.request(method, address, json=body, headers=headers)
    return visitor.post(address, title="Taken", flow=json.dumps(example("x")), by="1")


def test_no_core_function_tells_of_another_workspace(
    session: Session, owner: Principal, other: Other
) -> None:
    assert items.list_items(session, principal=owner, kind="companion").items == []
    assert search.find_items(session, principal=owner, q=SECRET) == []
    assert recents.list_recents(session, principal=owner) == []
    assert favorites.list_favorites(session, principal=owner) == []
    assert favorites.favorite_ids(session, principal=owner, item_ids=[other.live]) == set()
    assert trash.list_trash(session, principal=owner) == []
    assert trash.purge_expired(session, principal=owner) == 0
    assert usage.recent_imports(session, principal=owner) == []
    assert usage.usage(session, principal=owner).companions == 0
    assert popular_items(session, principal=owner) == []
    assert all(SECRET not in entry.actor for entry in audit_log.list_entries(session, principal=owner))
    for refused in (
        lambda: items.get_item(session, principal=owner, item_id=other.live),
        lambda: companions.get(session, principal=owner, item_id=other.live),
        lambda: items.update_item(session, principal=owner, item_id=other.live, title="x"),
        lambda: companions.publish(session, principal=owner, item_id=other.live),
        lambda: companions.withdraw(session, principal=owner, item_id=other.live),
        lambda: companions.archive(session, principal=owner, item_id=other.live),
        lambda: favorites.add_favorite(session, principal=owner, item_id=other.live),
        lambda: trash.trash_item(session, principal=owner, item_id=other.live),
        lambda: trash.restore_item(session, principal=owner, item_id=other.trashed),
        lambda: trash.purge_item(session, principal=owner, item_id=other.trashed),
    ):
        with pytest.raises(NotFound):
            refused()
