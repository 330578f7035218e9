"""Requests of one person, several of them in a transaction that is taken back at its end."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Connection
from sqlalchemy.orm import Session

from leitstand.db.engine import get_engine
from leitstand.identity.sessions import csrf_token
from serving.session import open_transaction
from tests.integration.permissions.asking import Answer, Wanted, ask_one
from tests.integration.permissions.world import Visitor, World

PAGE = (("accept", "text/html"),)


@dataclass
class Talk:
    """What the owner asks for; `forget` takes back what was done since the last time."""

    world: World
    owner: Visitor
    connection: Connection
    runner: asyncio.Runner

    @property
    def token(self) -> str:
        """The CSRF token of the owner's session."""
        return csrf_token(self.owner.principal)

    @property
    def ids(self) -> dict[str, str]:
        """The ids of the workspace's things and of the owner's."""
        return self.world.here.ids | self.owner.ids

    def ask(self, method: str, address: str, **more: object) -> Answer:
        """An answer with its body."""
        wanted = Wanted(method, address, self.owner.cookie, **more)  # type: ignore[arg-type]
        return self.runner.run(ask_one(self.world.app, wanted, [], whole=True))

    def page(self, address: str) -> Answer:
        """A page, as a browser asks for it."""
        return self.ask("GET", address, headers=PAGE)

    def send(self, address: str, form: dict[str, str]) -> Answer:
        """Send a form, as a browser does."""
        return self.ask("POST", address, form=form | {"csrf": self.token}, headers=PAGE)

    def forget(self) -> None:
        """Take back everything."""
        self.connection.rollback()


@contextmanager
def talking(world: World) -> Iterator[Talk]:
    """A talk with the world's application."""
    with get_engine().connect() as connection, asyncio.Runner() as runner:

        def within() -> Iterator[Session]:
            # A session that finds no transaction begins one of its own, and commits it.
            if not connection.in_transaction():
                connection.begin()
            with Session(
                connection, expire_on_commit=False, join_transaction_mode="create_savepoint"
            ) as session:
                yield session
                session.commit()

        owner = world.visitor("owner")
        world.app.dependency_overrides[open_transaction] = within
        try:
            yield Talk(world, owner, connection, runner)
        finally:
            connection.rollback()
            world.app.dependency_overrides.clear()
