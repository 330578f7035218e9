"""Whatever is archived, brought back and sent again, in any order: the answers and facts of one that is never archived."""

from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from leitstand.catalogue.companions import ensure_companion
from leitstand.errors import NotFound
from leitstand.events import facts
from leitstand.events.archive.moving import restore
from leitstand.events.ledger import IncomingEvent, record
from leitstand.identity.workspaces import ensure_workspace
from leitstand.settings import Settings
from tests.integration.events.archiving import archived, made
from tests.integration.events.support import count, facts_of

MOVES = st.lists(
    st.one_of(
        st.lists(
            st.tuples(st.integers(0, 3), st.integers(0, 2), st.sampled_from("ab"), st.sampled_from("xyz")),
            min_size=1, max_size=6,
        ),
        st.just("archive"),
        st.sampled_from([date(2023, month, 1) for month in (1, 2, 3, 4)]),
        st.just("rebuild"),
    ),
    min_size=3, max_size=10,
)  # fmt: skip


@pytest.mark.slow
@given(moves=MOVES)
@hypothesis_settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_whatever_is_archived_brought_back_and_sent_again_counts_once(
    engine: Engine, settings: Settings, moves: list[Any]
) -> None:
    """The same answers and facts as if nothing had ever been archived."""
    with Session(engine) as own, own.begin():
        own.execute(text("DELETE FROM event; DELETE FROM event_archive; DELETE FROM workspace"))
        workspaces = [ensure_workspace(own, slug=slug).id for slug in ("moved", "plain")]
        helpers = [ensure_companion(own, workspace_id=it, key="helper") for it in workspaces]
    seen: dict[tuple[Any, ...], None] = {}
    for move in moves:
        if isinstance(move, list):
            with Session(engine) as own, own.begin():
                answers = record(
                    own, workspace_id=workspaces[0], events=[event_of(helpers[0], *it) for it in move]
                )
            for answer, it in zip(answers, move, strict=True):
                assert answer.verdict == ("duplicate" if it in seen else "accepted")
                seen[it] = None
        elif move == "archive":
            archived(engine, settings)
        elif move == "rebuild":
            with Session(engine) as own, own.begin():
                facts.rebuild(own, workspace_id=workspaces[0], log_id=helpers[0])
        else:
            bring_back(engine, settings, move)
    with Session(engine) as own, own.begin():
        record(own, workspace_id=workspaces[1], events=[event_of(helpers[1], *it) for it in seen])
    assert facts_of(engine, workspaces[0]) == facts_of(engine, workspaces[1])
    for month in (1, 2, 3, 4):
        bring_back(engine, settings, date(2023, month, 1))
    assert count(engine, "event", workspaces[0]) == len(seen)


def event_of(companion: UUID, month: int, minute: int, run: str, step: str) -> IncomingEvent:
    return made(companion, datetime(2023, month + 1, 3, 12, minute, tzinfo=UTC), run, step)


def bring_back(engine: Engine, settings: Settings, month: date) -> None:
    try:
        restore(engine, settings, month=month)
    except NotFound:
        return
