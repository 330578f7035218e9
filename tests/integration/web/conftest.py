"""The web application and people signed in to it."""

from collections.abc import Callable

import pytest
from fastapi import FastAPI
from sqlalchemy.orm import Session

from leitstand.db.models import Workspace
from leitstand.settings import Settings
from tests.apps import web_app
from tests.identity_provider import provider
from tests.people import Visitor, join, visit
from web import popular

__all__ = ["provider"]


@pytest.fixture
def app(settings: Settings) -> FastAPI:
    """The web application on this test's database."""
    popular._ranked.clear()
    return web_app()


@pytest.fixture
def visitor(app: FastAPI, session: Session, workspace: Workspace) -> Visitor:
    """The owner of `workspace`, signed in."""
    return visit(app, session, join(session, workspace))


@pytest.fixture
def visitor_as(app: FastAPI, session: Session, workspace: Workspace) -> Callable[[str], Visitor]:
    """Makes a person with a role, signed in."""
    return lambda role: visit(app, session, join(session, workspace, role=role))
