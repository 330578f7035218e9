"""What an environment has that people have used: an owner, a companion with events, a document that was read."""

from pathlib import Path

from leitstand.catalogue import contents
from leitstand.catalogue.companions import ensure_companion
from leitstand.db.engine import transaction
from leitstand.events.importer import import_file
from leitstand.identity.access import system_principal
from leitstand.identity.people import create_owner
from leitstand.identity.workspaces import find_workspace
from leitstand.knowledge.documents import add_document
from leitstand.knowledge.ingest import ingest
from leitstand.knowledge.spaces import create_space
from tests.source import Source

OWNER = "olga@example.test"
DOCUMENT = b"# Lanterns\n\nA lantern burns for eleven hours on one filling of paraffin oil.\n"
EVENTS = "session_id,actor_id,activity,timestamp,flow_id\n" + "".join(
    f"run-{run},person-{run % 7},{activity},2026-03-{1 + run % 20:02d}T10:0{minute}:00Z,billing\n"
    for run in range(60)
    for minute, activity in enumerate(("Asked", "Answered", "Paid"))
)


def live_in(source: Source, folder: Path, workspace: str = "first") -> None:
    """Fill a workspace of the source through the core, as people's work does."""
    (folder / "events.csv").write_text(EVENTS)
    with transaction(source.engine) as session:
        found = find_workspace(session, workspace)
        create_owner(
            session, email=OWNER, name="Olga", password="a-lantern-in-the-rain", workspace_id=found.id
        )
        ensure_companion(session, workspace_id=found.id, key="billing", title="Billing")
        principal = system_principal(found.id)
        space = create_space(session, principal=principal, title="Manuals")
        reads = {"instructions": "Answer from the manuals.", "spaces": [str(space.id)]}
        agent = contents.create(session, principal=principal, kind="agent", title="Reader", content=reads)
        asks = {"agent_id": str(agent.id), "inputs": [{"name": "topic", "required": True}]}
        contents.create(session, principal=principal, kind="app", title="Summary", content=asks)
    import_file(source.engine, folder / "events.csv", workspace_id=found.id, complete=["Paid"])
    with transaction(source.engine) as session:
        added = add_document(
            session,
            source.storage,
            principal=principal,
            space_id=space.id,
            title="lanterns.md",
            data=DOCUMENT,
        )
    ingest(source.engine, source.storage, document_id=added.document.id)
