"""Fixtures: a workspace with an event log that ends today, people, and the insights application."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from leitstand.db.models import Person, Workspace
from leitstand.identity import sessions
from leitstand.identity.sessions import COOKIE
from panel_apps import scoped
from tests.integration.panel_apps.support import Log, import_log, make_log
from tests.people import PASSWORD, Visitor, join, visit


@pytest.fixture(autouse=True)
def forget() -> Iterator[None]:
    """No answer of another test's database is remembered."""
    yield
    for memory in (scoped.ANSWERS, scoped.NAMES, scoped.SUGGESTIONS):
        memory.clear()


@pytest.fixture
def log(engine: Engine, workspace: Workspace, tmp_path: Path) -> Log:
    """An imported event log that ends today."""
    made = make_log(datetime.now(UTC).date())
    import_log(engine, tmp_path, workspace, made)
    return made


@pytest.fixture
def app(engine: Engine) -> FastAPI:
    """The insights application on this test's database."""
    from panel_apps import serve

    return serve.create()


@pytest.fixture
def analyst(app: FastAPI, session: Session, workspace: Workspace) -> Iterator[Visitor]:
    """Someone who may see insights and not operations, at the running application."""
    visitor = visit(app, session, join(session, workspace, role="analyst"))
    with TestClient(app, follow_redirects=False, raise_server_exceptions=False) as client:
        client.cookies = visitor.client.cookies
        yield Visitor(client, visitor.principal)


def sign_in_as(visitor: Visitor, session: Session, person: Person) -> None:
    """Let another person sit down at a visitor's browser."""
    signed_in = sessions.sign_in(session, email=person.email, password=PASSWORD, address="", user_agent="")
    session.commit()
    visitor.client.cookies.clear()
    visitor.client.cookies.set(COOKIE, signed_in.token)
    visitor.principal = signed_in.principal
