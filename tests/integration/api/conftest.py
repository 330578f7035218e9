"""The JSON API and people signed in to it."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from fastapi import FastAPI
from httpx import Response
from sqlalchemy.orm import Session

from api.app import create
from leitstand.db.models import Workspace
from leitstand.settings import Settings
from tests.people import Visitor, join, visit


@dataclass
class Caller:
    """A program with somebody's session."""

    visitor: Visitor

    def __call__(self, method: str, path: str, body: object = None) -> Response:
        """Call an endpoint under /api/v1, with the CSRF header."""
        headers = {"X-CSRF-Token": self.visitor.csrf}
        return self.visitor.client.request(method, f"/api/v1{path}", json=body, headers=headers)


@pytest.fixture
def app(settings: Settings) -> FastAPI:
    """The JSON API on this test's database."""
    return create()


@pytest.fixture
def call(app: FastAPI, session: Session, workspace: Workspace) -> Caller:
    """The owner of `workspace`."""
    return Caller(visit(app, session, join(session, workspace)))


@pytest.fixture
def call_as(app: FastAPI, session: Session, workspace: Workspace) -> Callable[[str], Caller]:
    """Makes a person with a role."""
    return lambda role: Caller(visit(app, session, join(session, workspace, role=role)))
