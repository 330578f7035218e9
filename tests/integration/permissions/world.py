"""Two workspaces with one of everything, an application, and people of every role and of roles made for one question."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import ModuleType
from uuid import uuid4

from fastapi import FastAPI
from fastapi.routing import APIRoute
from sqlalchemy.orm import Session

from leitstand.db import models
from leitstand.db.engine import get_engine
from leitstand.identity.access import Principal
from leitstand.identity.sessions import csrf_token
from tests.integration.permissions.asking import Answer, Wanted, ask
from tests.integration.permissions.bodies import HEADERS, QUERIES, body_of, form_of
from tests.integration.permissions.planting import Ids, Place, opened, own, plant

Route = tuple[str, str]
NOBODY = "nobody"


def routes_of(module: ModuleType, prefix: str = "") -> Iterator[Route]:
    """Every method and path of the routers that an application module lists, once."""
    routes = [route for part in module.MODULES for route in part.router.routes]
    assert all(isinstance(route, APIRoute) for route in routes)
    yield from dict.fromkeys(
        (method, prefix + route.path) for route in routes for method in sorted(route.methods)
    )


def parameters(path: str) -> list[str]:
    """The names of a path's parameters."""
    return [part.partition("}")[0].partition(":")[0] for part in path.split("{")[1:]]


@dataclass
class Visitor:
    """Somebody signed in, and the ids of what is theirs."""

    cookie: str
    principal: Principal
    ids: Ids


@dataclass
class World:
    """An application on a database with two workspaces."""

    app: FastAPI
    routes: list[Route]
    session: Session
    here: Place
    there: Place
    visitors: dict[str, Visitor] = field(default_factory=dict)

    def visitor(self, role: str, permissions: frozenset[str] | None = None) -> Visitor:
        """Whoever has the role; the workspace has it made with these permissions where any are given."""
        if role not in self.visitors:
            if permissions is not None:
                made = models.WorkspaceRole(
                    workspace_id=self.here.workspace.id, name=role, permissions=sorted(permissions)
                )
                self.session.add(made)
                self.session.flush()
            signed_in = opened(self.session, self.here.workspace, role)
            ids = own(self.session, signed_in.principal)
            self.session.commit()
            self.visitors[role] = Visitor(signed_in.token, signed_in.principal, ids)
        return self.visitors[role]

    def address(self, path: str, ids: Ids, foreign: Ids | None = None, which: str = "") -> str:
        """The path with an id for each parameter; of the parameter `which`, that of the other workspace."""
        for name in parameters(path):
            given = foreign if foreign is not None and name == which else ids
            value = _found(path, name, given)
            path = path.replace(f"{{{name}:path}}", value).replace(f"{{{name}}}", value)
        return path

    def wanted(self, visitor: Visitor | None, route: Route, address: str = "", **more: object) -> Wanted:
        """The request for a route, with a body that fits and the CSRF token."""
        method, path = route
        ids = self.here.ids | (visitor.ids if visitor else {})
        address = (address or self.address(path, ids)) + QUERIES.get(f"{method} {path}", "")
        token = csrf_token(visitor.principal) if visitor else "x"
        form = document = None
        if method != "GET":
            if path.startswith("/api/"):
                document = body_of(self.app, method, path, ids["item_id"])
            else:
                form = form_of(method, path, ids)
        given = {"headers": (("x-csrf-token", token), *HEADERS.get(f"{method} {path}", ()))} | more
        return Wanted(method, address, visitor.cookie if visitor else "", form, document, **given)  # type: ignore[arg-type]

    def ask(self, wanted: list[Wanted]) -> list[Answer]:
        """Ask for all of it."""
        return ask(self.app, wanted)


def _found(path: str, name: str, ids: Ids) -> str:
    last = f"{path.rpartition('/')[2]} {name}"
    if last in ids:
        return ids[last]
    starts = [key for key in ids if key.endswith(f" {name}") and path.startswith(key.split()[0] + "/")]
    return ids[max(starts, key=len)] if starts else ids.get(name, str(uuid4()))


@contextmanager
def made(module: ModuleType, prefix: str, create: Callable[[], FastAPI]) -> Iterator[World]:
    """A world on this process's database."""
    with Session(get_engine(), expire_on_commit=False) as session:
        here, there = plant(session, "here"), plant(session, "there")
        session.commit()
        yield World(create(), list(routes_of(module, prefix)), session, here, there)
