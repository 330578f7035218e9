"""The JSON API and people signed in to it."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from httpx import Response
from sqlalchemy.orm import Session

from leitstand.db.models import Workspace
from leitstand.identity import tokens
from leitstand.settings import Settings
from tests.apps import api_app
from tests.people import Visitor, join, visit


@dataclass
class Caller:
    """A program with somebody's session."""

    visitor: Visitor

    def __call__(self, method: str, path: str, body: object = None) -> Response:
        """Call an endpoint under /api/v1, with the CSRF header."""
        headers = {"X-CSRF-Token": self.visitor.csrf}
        return self.visitor.client.request(method, f"/api/v1{path}", json=body, headers=headers)


@dataclass
class Program:
    """A program with an API token: no cookie, no CSRF token."""

    client: TestClient
    secret: str

    def __call__(
        self, method: str, path: str, body: object = None, *, content: bytes | None = None, **headers: str
    ) -> Response:
        """Call an endpoint under /api/v1; underscores of header names stand for hyphens."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        named |= {"Authorization": f"Bearer {self.secret}"}
        return self.client.request(method, f"/api/v1{path}", json=body, content=content, headers=named)


@pytest.fixture
def app(settings: Settings) -> FastAPI:
    """The JSON API on this test's database."""
    return api_app()


@pytest.fixture
def call(app: FastAPI, session: Session, workspace: Workspace) -> Caller:
    """The owner of `workspace`."""
    return Caller(visit(app, session, join(session, workspace)))


@pytest.fixture
def call_as(app: FastAPI, session: Session, workspace: Workspace) -> Callable[[str], Caller]:
    """Makes a person with a role."""
    return lambda role: Caller(visit(app, session, join(session, workspace, role=role)))


@pytest.fixture
def program(app: FastAPI, call: Caller, session: Session) -> Callable[..., Program]:
    """Makes a program that acts for the owner with these permissions."""

    def make(*permissions: str) -> Program:
        principal = call.visitor.principal
        made = tokens.create(session, principal=principal, name="robot", permissions=permissions)
        session.commit()
        return Program(TestClient(app, raise_server_exceptions=False), made.secret)

    return make
