"""The demo workspace: real events, a companion that can be talked to, and a space with documents.

Everything goes through the functions that people's own data goes through; nothing is written past them.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID

from sqlalchemy import Engine

from leitstand.catalogue.companions import ensure_companion
from leitstand.companions.flow import parse_flow
from leitstand.companions.versions import publish, save_version
from leitstand.db.engine import transaction
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


def _documents(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file() and path.name not in NO_DOCUMENTS)
