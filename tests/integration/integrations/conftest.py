"""A receiver, a webhook that points at it, and the queue's jobs run by hand."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from leitstand.identity.access import Principal
from leitstand.integrations import delivering, webhooks
from leitstand.integrations.webhooks import Draft, Made
from tests.receiver import Receiver, receiver

__all__ = ["receiver"]

DUE = text("""
    DELETE FROM procrastinate_jobs WHERE id = (
        SELECT id FROM procrastinate_jobs WHERE task_name = 'integrations.deliver' AND scheduled_at <= :now
        ORDER BY scheduled_at, id LIMIT 1
    ) RETURNING args
""")


class Clock:
    """A clock that goes only where it is told to, and works off the queue's deliveries that are due then."""

    def __init__(self, engine: Engine) -> None:
        self.engine, self.ahead = engine, timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def work(self, **ahead: float) -> int:
        """Run what is due, after going ahead; how many attempts there were."""
        self.ahead += timedelta(**ahead)
        count = 0
        while True:
            with Session(self.engine) as session:
                arguments = session.scalar(DUE, {"now": self.now()})
                session.commit()
            if arguments is None:
                return count
            arguments.pop("_identity")
            delivering.deliver(self.engine, clock=self.now, **arguments)
            count += 1


@pytest.fixture
def clock(engine: Engine) -> Clock:
    return Clock(engine)


@pytest.fixture
def hook(session: Session, owner: Principal, receiver: Receiver) -> Callable[..., Made]:
    """Makes a webhook that points at the receiver."""

    def make(*events: str, principal: Principal = owner) -> Made:
        draft = Draft(f"{receiver.url}/hook", events or ("companion.*",))
        made = webhooks.create(session, principal=principal, draft=draft)
        session.commit()
        return made

    return make
