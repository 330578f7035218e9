"""What a copy consists of, written in one transaction."""

from collections.abc import Mapping
from datetime import date
from uuid import UUID

from sqlalchemy import Update, delete, func, or_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from leitstand.db.models import FactChange, FactCopy, FactPart
from leitstand.errors import Conflict
from leitstand.insights.copy.state import CopyState, Part


def write(
    session: Session,
    workspace_id: UUID,
    before: CopyState | None,
    made: Mapping[tuple[str, date], Part | None],
    *,
    watermark: int,
    cluster: str,
) -> None:
    """Make the copy consist of the parts made and of those before of other months, as of `watermark`.

    What the log says of earlier transactions is in the copy now and goes.

    Args:
        before: the state that was brought up to date; None: all was made anew.
        made: by fact and month; None: it has no rows any more.

    Raises:
        Conflict: another copier was at work meanwhile.
    """
    _advance(session, workspace_id, before, watermark, cluster)
    replaced = update(FactPart).where(FactPart.workspace_id == workspace_id, FactPart.replaced_at.is_(None))
    if before:
        for fact, month in made:
            session.execute(_now(replaced.where(FactPart.fact == fact, FactPart.month == month)))
    else:
        session.execute(_now(replaced))
    session.flush()
    for part in filter(None, made.values()):
        row = {**vars(part), "workspace_id": workspace_id, "replaced_at": None}
        again = insert(FactPart).values(row)
        session.execute(again.on_conflict_do_update(index_elements=["key"], set_={"replaced_at": None}))
    # An id that is still to come is another server's, of before a dump was loaded here. Still to come is what this
    # statement's snapshot does not know of: others that began after this transaction may have ended before it.
    to_come = func.pg_snapshot_xmax(func.pg_current_snapshot())
    old = or_(FactChange.changed < watermark, FactChange.changed >= to_come)
    session.execute(delete(FactChange).where(FactChange.workspace_id == workspace_id, old))


def see(session: Session, state: CopyState, watermark: int) -> None:
    """Note that the copier has looked at everything before `watermark` and left it."""
    looked = update(FactCopy).where(
        FactCopy.workspace_id == state.workspace_id, FactCopy.generation == state.generation
    )
    session.execute(looked.values(seen=watermark))


def _advance(
    session: Session, workspace_id: UUID, before: CopyState | None, watermark: int, cluster: str
) -> None:
    now = {"watermark": watermark, "seen": watermark, "cluster": cluster, "copied_at": func.now()}
    if before:
        mine = (FactCopy.workspace_id == workspace_id, FactCopy.generation == before.generation)
        advanced = update(FactCopy).where(*mine).values(now | {"generation": FactCopy.generation + 1})
        if not session.connection().execute(advanced).rowcount:
            raise Conflict("Another copier has copied the facts meanwhile.", hint="Run it again.")
        return
    # A copy that is there says nothing of this database; its number goes on, so that no old answer is taken for new.
    row = {"workspace_id": workspace_id, "generation": 1, **now}
    raised = now | {"generation": FactCopy.generation + 1}
    session.execute(
        insert(FactCopy).values(row).on_conflict_do_update(index_elements=["workspace_id"], set_=raised)
    )


def _now(statement: Update) -> Update:
    return statement.values(replaced_at=func.now())
