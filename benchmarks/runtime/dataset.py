"""A workspace with one published companion, and who may ask its space."""

import os
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, text

from benchmarks.runtime.bare import TABLE
from leitstand.catalogue.companions import create
from leitstand.companions.flow import parse_flow
from leitstand.companions.versions import publish, save_version
from leitstand.db.engine import transaction
from leitstand.db.models.base import new_id
from leitstand.identity import people, sessions
from leitstand.identity.workspaces import ensure_workspace

PASSWORD = "benchmark of visitors"
# A visit is a choice, words, a loop that comes back once, and an end.
ANSWERS = ("visit", "Friday at three", "yes", "other", "A wheelchair, please.", "no")
FLOW: dict[str, Any] = {
    "title": "Book a visit",
    "steps": [
        {"name": "hello", "kind": "message", "text": "Hello! Good that you are here.", "next": "topic"},
        {
            "name": "topic", "kind": "choice", "text": "What is it about?", "next": "words",
            "options": [
                {"value": "visit", "label": "A visit", "next": "day"},
                {"value": "other", "label": "Something else"},
            ],
        },
        {"name": "day", "kind": "question", "text": "Which day?", "max_length": 40, "next": "more"},
        {"name": "words", "kind": "question", "text": "Tell us.", "long": True, "next": "more"},
        {
            "name": "more", "kind": "choice", "text": "Anything else?",
            "options": [{"value": "yes", "next": "topic"}, {"value": "no", "next": "bye"}],
        },
        {"name": "bye", "kind": "end", "text": "Goodbye."},
    ],
}  # fmt: skip


@dataclass(frozen=True)
class Dataset:
    """Where visitors go, and the session of a person who may ask."""

    slug: str
    workspace_id: UUID
    token: str


def without_limits() -> None:
    """Rates that no benchmark reaches: visitors of one machine come faster than people of the world."""
    for name in ("VISITOR", "ADDRESS", "COMPANION"):
        os.environ[f"LEITSTAND_RUNTIME_{name}_RATE"] = "1000000000/minute"


def make(engine: Engine, workspace_id: UUID | None = None) -> Dataset:
    """A published companion and an owner of its workspace, both new.

    Args:
        workspace_id: where; None: in a workspace of their own.
    """
    name = f"runtime-{new_id()}"
    with transaction(engine) as session:
        session.execute(text(TABLE))
        place = workspace_id or ensure_workspace(session, slug=name).id
        email = f"{name}@leitstand.local"
        people.create_person(session, email=email, name="Rita Runtime", password=PASSWORD, workspace_id=place, role="owner")  # fmt: skip
        session.flush()
        signed_in = sessions.sign_in(session, email=email, password=PASSWORD, address="", user_agent="")
        principal, flow = signed_in.principal, parse_flow(FLOW)
        made = create(session, principal=principal, title=flow.title).id
        save_version(session, principal=principal, companion_id=made, flow=flow)
        publish(session, principal=principal, companion_id=made, slug=name)
        return Dataset(name, place, signed_in.token)
