"""Months of events: made ahead, listed, and made on the spot where one is missing."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from leitstand.catalogue.companions import ensure_companion
from leitstand.cli import main
from leitstand.db.ids import derived_uuid7
from leitstand.db.models import Workspace
from leitstand.events import intake
from leitstand.events.partitions import list_partitions, make_ahead


def test_this_month_and_the_two_that_follow_are_made_once(engine: Engine, session: Session) -> None:
    now = datetime(2026, 11, 30, 23, 59, tzinfo=UTC)
    assert make_ahead(engine, now) == ["event_p2026_11", "event_p2026_12", "event_p2027_01"]
    assert make_ahead(engine, now) == []
    assert make_ahead(engine, datetime(2026, 12, 1, tzinfo=UTC)) == ["event_p2027_02"]
    assert [row.month for row in list_partitions(session)] == [
        date(2026, 11, 1), date(2026, 12, 1), date(2027, 1, 1), date(2027, 2, 1),
    ]  # fmt: skip


def test_several_at_once_make_each_month_once(engine: Engine, session: Session) -> None:
    now = datetime(2030, 1, 31, tzinfo=UTC)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: make_ahead(engine, now), range(4)))
    assert len(list_partitions(session)) == 3


def test_events_of_missing_months_sent_at_once_are_all_taken(
    engine: Engine, session: Session, workspace: Workspace
) -> None:
    """Each batch makes the months that it needs; those that need the same one wait for each other, and lose nothing."""
    ensure_companion(session, workspace_id=workspace.id, key="shop")
    session.commit()
    moments = [datetime(2001 + year, month, 15, tzinfo=UTC) for year in range(2) for month in (1, 6, 12)]

    def send(number: int) -> int:
        events = [
            {
                "kind": "viewed", "companion": "shop", "run_key": f"r{number}", "occurred_at": at.isoformat(),
                "event_id": str(derived_uuid7(at, bytes([number]))),
            }
            for at in moments
        ]  # fmt: skip
        with Session(engine) as own, own.begin():
            given = intake.read_json(json.dumps(events).encode())
            batch = intake.take_in_for(own, workspace_id=workspace.id, events=given, source="api")
        return sum(item.verdict == "accepted" for item in batch.items)

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(send, range(4))) == [6] * 4
    assert session.scalar(text("SELECT count(*) FROM event")) == 24
    assert len(list_partitions(session)) == 6


def test_the_command_lists_and_makes(session: Session, capsys: pytest.CaptureFixture[str]) -> None:
    def run(*arguments: str) -> str:
        with pytest.raises(SystemExit) as end:
            main(["events", "partitions", *arguments])
        assert not end.value.code
        return capsys.readouterr().out

    assert "no month" in run()
    made = json.loads(run("--make", "--json"))
    assert len(made["made"]) == 3
    assert [row["name"] for row in made["partitions"]] == made["made"]
    assert "3 months." in run()
