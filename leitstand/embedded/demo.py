"""The demo workspace: real events, a companion that can be talked to, a space with documents, and an agent that reads it.

Everything goes through the functions that people's own data goes through; nothing is written past them.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from leitstand.catalogue import contents
from leitstand.catalogue.companions import ensure_companion
from leitstand.catalogue.lifecycle import publish as publish_item
from leitstand.companions.flow import parse_flow
from leitstand.companions.versions import publish, save_version
from leitstand.db.engine import transaction
from leitstand.db.models import Item
from leitstand.embedded.owner import WORKSPACE, WORKSPACE_NAME, ZONE
from leitstand.errors import NotFound
from leitstand.events.importer import import_file
from leitstand.identity.access import Principal, system_principal
from leitstand.identity.workspaces import ensure_workspace
from leitstand.knowledge.documents import add_document
from leitstand.knowledge.spaces import create_space, find_space
from leitstand.settings import Settings
from leitstand.storage.objects import ObjectStorage

STATEMENT_TIMEOUT_MS = 10 * 60 * 1000
BILLING_STEPS = ("NEW", "FIN", "RELEASE", "CODE OK", "BILLED")
# Event log -> activities that complete a run, and the funnel. Visitors of the web log complete nothing.
EVENT_LOGS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "hospital-billing": (("BILLED",), BILLING_STEPS),
    "web-access-log": ((), ()),
}
SPACE, SPACE_DESCRIPTION = "Documentation", "Openly licensed manuals, to try search and answers on."
AGENT, APP = "Manual reader", "Checklist from the manuals"
AGENT_CONTENT: dict[str, Any] = {
    "instructions": "Answer from the manuals that you find with your search, and name the document of each statement. "
    "Say so where they do not answer the question.",
    "questions": ["How do I back up a database?", "What do the manuals say about time zones?"],
}
APP_CONTENT: dict[str, Any] = {
    "inputs": [
        {"name": "task", "label": "What is to be done?", "field": "text", "required": True},
        {"name": "points", "label": "At most so many points", "field": "number"},
    ],
    "output": "list",
}
NO_DOCUMENTS = {"README.md", "MANIFEST.csv", "LICENSE", "LICENSE.txt"}

Note = Callable[[str], None]


def fill(engine: Engine, settings: Settings, note: Note) -> None:
    """Fill the demo workspace; what is there already stays as it is, so that this can be done again.

    Args:
        engine: with a statement time limit that an import may need.
        note: told a line of what was done.
    """
    with transaction(engine) as session:
        workspace_id = ensure_workspace(session, slug=WORKSPACE, name=WORKSPACE_NAME, zone=ZONE).id
    _import_events(engine, settings.demo_dir / "events", workspace_id, note)
    principal = system_principal(workspace_id, "demo")
    for path in sorted((settings.demo_dir / "companions").glob("*.json")):
        _publish_companion(engine, path, principal, note)
    _fill_space(engine, settings, principal, note)
    _make_agent(engine, principal, note)


def _import_events(engine: Engine, folder: Path, workspace_id: UUID, note: Note) -> None:
    for name, (complete, steps) in EVENT_LOGS.items():
        path = folder / name / "events.csv.gz"
        result = import_file(engine, path, workspace_id=workspace_id, complete=complete, steps=steps)
        counts = result.counts
        note(f"   {name}: {counts.accepted:,} events, {counts.refused:,} refused")


def _publish_companion(engine: Engine, path: Path, principal: Principal, note: Note) -> None:
    flow = parse_flow(path.read_bytes())
    with transaction(engine) as session:
        companion_id = ensure_companion(
            session, workspace_id=principal.workspace_id, key=path.stem, title=flow.title
        )
        save_version(session, principal=principal, companion_id=companion_id, flow=flow)
        published = publish(session, principal=principal, companion_id=companion_id, slug=path.stem)
    note(f"   companion {flow.title}: /c/{published.slug}")


def _fill_space(engine: Engine, settings: Settings, principal: Principal, note: Note) -> None:
    storage, taken = ObjectStorage(settings), 0
    with transaction(engine) as session:
        try:
            space = find_space(session, principal=principal, name=SPACE)
        except NotFound:
            space = create_space(session, principal=principal, title=SPACE, description=SPACE_DESCRIPTION)
    for path in _documents(settings.demo_dir / "documents"):
        with transaction(engine) as session:
            added = add_document(
                session,
                storage,
                principal=principal,
                space_id=space.id,
                title=path.name,
                data=path.read_bytes(),
            )
        taken += not added.duplicate
    note(f"   space {SPACE}: {taken} documents taken in")


def _make_agent(engine: Engine, principal: Principal, note: Note) -> None:
    """An agent that reads the space, and an app of it; they answer once a model endpoint is connected."""
    with transaction(engine) as session:
        space = find_space(session, principal=principal, name=SPACE)
        agent_id = _made(session, principal, "agent", AGENT, AGENT_CONTENT | {"spaces": [str(space.id)]})
        _made(session, principal, "app", APP, APP_CONTENT | {"agent_id": str(agent_id)})
    note(f"   agent {AGENT}, app {APP}")


def _made(session: Session, principal: Principal, kind: str, title: str, content: dict[str, Any]) -> UUID:
    """A published item of that kind; one that was made before stays as it is."""
    key = f"demo-{kind}"
    known = select(Item.id).where(
        Item.workspace_id == principal.workspace_id, Item.kind == kind, Item.external_key == key
    )
    if found := session.scalar(known):
        return found
    made = contents.create(
        session, principal=principal, kind=kind, title=title, content=content, external_key=key
    )
    publish_item(session, principal=principal, item_id=made.id)
    return made.id


def _documents(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file() and path.name not in NO_DOCUMENTS)
