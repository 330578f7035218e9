"""A workspace without a single event."""

import json

from sqlalchemy.orm import Session

from leitstand.db.models import Workspace
from leitstand.insights import report
from leitstand.insights.scope import resolve


def test_an_empty_workspace_reports_zeros_and_nothing_undefined(
    session: Session, workspace: Workspace
) -> None:
    document = report.build(session, resolve(session, workspace_id=workspace.id))
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert document["events"] == document["sessions"] == document["active_users"] == 0
    assert document["runs"] == {"viewed": 0, "started": 0, "completed": 0}
    assert document["completion_rate"] is None
    assert document["duration_seconds"] == {"median": None, "p95": None}
    assert document["steps"] == document["traffic"] == document["retention"] == document["popular"] == []
    assert [row["dau"] for row in document["active_users_by_day"]] == [0]
