"""People and signed-in clients for tests of pages and endpoints."""

from dataclasses import dataclass

from fastapi import FastAPI
from fastapi.testclient import TestClient
from httpx import Response
from sqlalchemy.orm import Session

from leitstand.db.models import Person, Workspace
from leitstand.identity import people, sessions
from leitstand.identity.access import Principal
from leitstand.identity.sessions import COOKIE, csrf_token

PASSWORD = "seven quiet herons"
HTML = {"Accept": "text/html,application/xhtml+xml"}


@dataclass
class Visitor:
    """A client with a session of its own, and whose it is."""

    client: TestClient
    principal: Principal

    @property
    def csrf(self) -> str:
        """The token that this visitor's forms carry."""
        return csrf_token(self.principal)

    def get(self, path: str, **more: object) -> Response:
        """A page, as a browser asks for it."""
        return self.client.get(path, headers=HTML, **more)  # type: ignore[arg-type]

    def piece(self, path: str) -> Response:
        """A piece of a page, as htmx asks for it."""
        return self.client.get(path, headers={"HX-Request": "true"})

    def post(self, path: str, **fields: str) -> Response:
        """Send a form with the session's token."""
        return self.client.post(path, data={"csrf": self.csrf, **fields}, headers=HTML)


def join(
    session: Session, workspace: Workspace, *, role: str = "owner", email: str = "", name: str = ""
) -> Person:
    """A person with a role in a workspace and the password `PASSWORD`."""
    email = email or f"{role.replace(' ', '-')}@{workspace.slug}.test"
    person = people.create_person(
        session,
        email=email,
        name=name or f"{role.title()} Person",
        password=PASSWORD,
        workspace_id=workspace.id,
        role=role,
    )
    session.commit()
    return person


def visit(app: FastAPI, session: Session, person: Person) -> Visitor:
    """A client in which `person` is signed in; it follows no redirects and raises no server errors."""
    signed_in = sessions.sign_in(
        session, email=person.email, password=PASSWORD, address="", user_agent="test browser"
    )
    session.commit()
    client = TestClient(app, follow_redirects=False, raise_server_exceptions=False)
    client.cookies.set(COOKIE, signed_in.token)
    return Visitor(client, signed_in.principal)


def acting(session: Session, workspace: Workspace, person: Person) -> Principal:
    """The person as a principal with a session, as the database knows them now."""
    return sessions.open_at(
        session, person=person, workspace_id=workspace.id, user_agent="test browser"
    ).principal
