"""leitstand query rebuild: make the vectors of passages again, from what PostgreSQL has."""

import json

import click

from leitstand.cli._options import database
from leitstand.cli._progress import told
from leitstand.db.engine import transaction
from leitstand.errors import PreconditionFailed
from leitstand.identity.workspaces import find_workspace
from leitstand.knowledge.embeddings import embed_lacking, forget_vectors, progress

TOLD_EVERY = 1_000


@click.command("rebuild")
@click.option("--workspace", metavar="W", help="Only this workspace.")
@click.option(
    "--afresh", is_flag=True, help="Delete the vectors that are there first, and make all of them again."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def rebuild(workspace: str | None, afresh: bool, as_json: bool) -> None:
    """Give every passage the vector that it lacks.

    What is there stays, so that it can be interrupted and goes on at the next call. Until a passage has its vector it is
    found by its words.
    """
    with database() as engine:
        with transaction(engine) as session:
            workspace_id = find_workspace(session, workspace).id if workspace else None
            if afresh:
                forget_vectors(session, workspace_id=workspace_id)
            before = progress(session, workspace_id=workspace_id)
        tell, due = told(), before.passages - before.embedded

        def say(made: int) -> None:
            if made // TOLD_EVERY > (made - 1) // TOLD_EVERY or made >= due:
                tell(f"{made:,} of {due:,} passages")

        if not embed_lacking(engine, workspace_id=workspace_id, told=say):
            raise PreconditionFailed(
                "PostgreSQL has no pgvector, or one older than 0.8: documents are found by their words alone.",
                hint="A superuser makes it in the database: CREATE EXTENSION vector.",
            )
        with transaction(engine) as session:
            after = progress(session, workspace_id=workspace_id)
    if as_json:
        click.echo(json.dumps(after.to_dict() | {"made": after.embedded - before.embedded}))
        return
    click.echo(
        f"{after.embedded:,} of {after.passages:,} passages have their vector; {after.embedded - before.embedded:,} were made now"
    )
