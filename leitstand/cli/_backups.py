"""What the commands about backups share: who acts, and the plan of a removal."""

from typing import TYPE_CHECKING

import click
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from leitstand.db.engine import transaction
from leitstand.db.models import Workspace
from leitstand.errors import NotFound
from leitstand.identity import audit
from leitstand.identity.access import Principal, system_principal
from leitstand.settings import Settings

if TYPE_CHECKING:
    from leitstand.backups.pruning import Proposal

ACTOR = "command line"


def operator(session: Session) -> Principal:
    """Whoever has the machine; backups are of all workspaces, and the oldest one's audit log has what is done to them.

    Raises:
        NotFound: there is no workspace yet.
    """
    first = session.scalar(select(Workspace.id).order_by(Workspace.created_at, Workspace.id).limit(1))
    if first is None:
        raise NotFound("There is no workspace yet.", hint="`leitstand workspace create NAME` makes one.")
    return system_principal(first, ACTOR)


def recorded(engine: Engine, settings: Settings, plan: str) -> str:
    """Note in the audit log that retention is carried out from here; gives who is named."""
    with transaction(engine) as session:
        principal = operator(session)
        audit.record(
            session,
            principal=principal,
            action="backup.prune",
            target=f"bucket:{settings.bucket_backups}",
            after={"plan": plan},
        )
    return principal.actor


def show_plan(proposal: "Proposal", *, error_stream: bool) -> None:
    """The plan as people read it: what goes, what stays and why, and what is suspicious."""
    for verdict in sorted(proposal.plan.verdicts, key=lambda one: one.keep):
        mark = "stays  " if verdict.keep else "REMOVED"
        line = f"{mark} {verdict.id}  {verdict.at:%Y-%m-%d %H:%M}  {verdict.kind:<8}  {verdict.words}"
        click.echo(line, err=error_stream)
    for need in proposal.plan.logs:
        since = f"from {need.keep_from} on" if need.keep_from else "that of the backups which stay"
        click.echo(f"log of cluster {need.archive}: stays {since}", err=error_stream)
    for caution in proposal.cautions:
        click.echo(f"careful: {caution.says}", err=error_stream)
    click.echo(f"plan {proposal.plan.sha256}", err=error_stream)
