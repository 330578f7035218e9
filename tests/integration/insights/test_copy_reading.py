"""Who answers while a copy is void, lost, far behind or of another format; the figures are always the same."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session, aliased

from leitstand.db.models import FactPart, RunFact
from leitstand.insights import opening, traffic
from leitstand.insights.columnar import facts
from leitstand.insights.copy import checking
from leitstand.insights.copy.facts import RUNS
from leitstand.insights.opening import SurvivingFacts, open_facts
from leitstand.insights.scope import Scope
from leitstand.insights.sources import PostgresFacts, TooSlow
from leitstand.settings import Settings, load_settings
from leitstand.storage.objects import ObjectStorage
from leitstand.storage.store import store_of
from tests.integration.insights.copies import Copy, Send, changed, written
from tests.integration.insights.engines import answers, differing


@pytest.fixture(autouse=True)
def _whatever_the_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "WORTH_ROWS", 1)


def answered_by(session: Session, settings: Settings, scope: Scope) -> type[Any]:
    with open_facts(session, scope, settings=settings) as found:
        assert answers(found, scope) == answers(session, scope)
        return type(found._facts if isinstance(found, SurvivingFacts) else found)


@pytest.mark.parametrize("how", ["cluster = 'another'", "watermark = '9000000000000'"])
def test_after_a_dump_was_loaded_elsewhere_postgresql_answers_until_the_copy_is_made_again(
    session: Session, settings: Settings, send: Send, copy: Copy, scope: Scope, how: str
) -> None:
    send(("a", 0), ("b", 40))
    copy()
    assert answered_by(session, settings, scope) is not PostgresFacts
    session.execute(text(f"UPDATE fact_copy SET {how}"))
    session.execute(text("UPDATE run_fact SET completed_at = last_at, started_at = first_at"))
    # What the other server logged last, with ids that this one has yet to give.
    session.execute(text("UPDATE fact_change SET changed = '9000000000001'"))
    session.commit()
    assert answered_by(session, settings, scope) is PostgresFacts
    assert written(copy()) == 2 * 2
    assert answered_by(session, settings, scope) is not PostgresFacts
    assert changed(session) == set()


def test_a_copy_of_another_format_is_not_read_and_made_again(
    session: Session, settings: Settings, send: Send, copy: Copy, scope: Scope
) -> None:
    send(("a", 0), ("b", 40))
    copy()
    current = set(session.scalars(select(FactPart.key)))
    # As the first copies were named, whose rows had fewer columns.
    session.execute(text("UPDATE fact_part SET key = regexp_replace(key, '/[0-9a-f]{12}/', '/')"))
    session.commit()
    assert answered_by(session, settings, scope) is PostgresFacts
    assert written(copy()) == 2 * 2
    assert answered_by(session, settings, scope) is not PostgresFacts
    assert set(session.scalars(select(FactPart.key).where(FactPart.replaced_at.is_(None)))) == current


@pytest.mark.parametrize("attribute", ["columns", "order"])
def test_a_format_is_named_after_what_a_row_consists_of(attribute: str) -> None:
    before = replace(RUNS).format
    assert before == RUNS.format
    other = replace(RUNS, order=("run_key",))
    if attribute == "columns":
        other = replace(RUNS)
        vars(other)["columns"] = RUNS.columns | {"more": "1"}
    assert other.format != before


def test_a_late_event_changes_the_next_days_sessions_too(
    session: Session, settings: Settings, send: Send, copy: Copy, scope: Scope
) -> None:
    """What the copy holds of a quarter follows from the half hour before it, which may be another day's or month's."""
    after_midnight, before_midnight = 26.1 / 24, 25.9 / 24
    send(("a", after_midnight), ("b", 40))
    copy()
    send(("a", before_midnight))
    assert differing(session, settings, scope) == {}
    assert answers(session, scope)["sessions"] == 2
    assert written(copy()) == 3
    assert differing(session, settings, scope) == {}
    assert checking.differences(settings, scope.workspace_id) == []


@pytest.fixture
def elsewhere(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """The same services from a machine that has no part yet."""
    monkeypatch.setenv("LEITSTAND_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("LEITSTAND_PORT", str(settings.port))
    yield load_settings()


def test_a_lost_part_is_noticed_by_readers_and_written_again(
    session: Session, settings: Settings, elsewhere: Settings, send: Send, copy: Copy, scope: Scope
) -> None:
    send(("a", 0), ("b", 40))
    copy()
    key = session.scalars(select(FactPart.key)).first()
    assert key
    store_of(settings).delete(settings.bucket_insights, key)
    assert answered_by(session, elsewhere, scope) is PostgresFacts
    opening._failed.clear()
    assert written(copy()) == 1
    assert answered_by(session, elsewhere, scope) is not PostgresFacts


def test_a_new_copys_parts_are_on_the_copiers_machine_already(
    session: Session,
    settings: Settings,
    send: Send,
    copy: Copy,
    scope: Scope,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    send(("a", 0), ("b", 40))
    copy()
    monkeypatch.setattr(ObjectStorage, "download", None)
    assert answered_by(session, settings, scope) is not PostgresFacts


def test_a_store_that_is_away_leaves_the_answers_to_postgresql(
    session: Session,
    elsewhere: Settings,
    send: Send,
    copy: Copy,
    scope: Scope,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    send(("a", 0))
    copy()
    monkeypatch.setenv("LEITSTAND_S3_ENDPOINT", "http://127.0.0.1:9")
    assert answered_by(session, load_settings(), scope) is PostgresFacts


def test_a_copy_that_is_far_behind_leaves_the_answers_to_postgresql(
    session: Session, settings: Settings, send: Send, copy: Copy, scope: Scope
) -> None:
    send(("a", 0))
    copy()
    send(*((f"b{day}", day) for day in range(12)))
    assert answered_by(session, settings, scope) is PostgresFacts
    copy()
    assert answered_by(session, settings, scope) is not PostgresFacts


def test_a_part_that_goes_while_it_is_asked_leaves_the_answers_to_postgresql(
    session: Session, elsewhere: Settings, send: Send, copy: Copy, scope: Scope
) -> None:
    send(("a", 0))
    copy()
    with open_facts(session, scope, settings=elsewhere) as found:
        assert isinstance(found, SurvivingFacts)
        for path in (elsewhere.data_dir / "insights" / "parts").iterdir():
            path.unlink()
        assert traffic.events(found, scope) == 1
        assert isinstance(found._facts, PostgresFacts)


@pytest.mark.parametrize(("engine_", "worth", "kind"), [("postgres", 1, "Postgres"), ("auto", 3, "Postgres"), ("auto", 2, "Surviving"), ("columnar", 3, "Surviving")])  # fmt: skip
def test_the_engine_is_the_settings_or_follows_from_the_rows(
    session: Session,
    settings: Settings,
    send: Send,
    copy: Copy,
    scope: Scope,
    monkeypatch: pytest.MonkeyPatch,
    engine_: str,
    worth: int,
    kind: str,
) -> None:
    send(("a", 0))
    copy()
    monkeypatch.setattr(opening, "WORTH_ROWS", worth)
    chosen = settings.model_copy(update={"insights_engine": engine_})
    with open_facts(session, scope, settings=chosen) as found:
        assert type(found).__name__ == f"{kind}Facts"


def test_the_rows_of_a_range_are_the_share_of_its_months(
    session: Session, send: Send, copy: Copy, scope: Scope
) -> None:
    send(*((f"a{number}", 3) for number in range(28)), *((f"b{number}", 40) for number in range(31)))
    assert opening.copied_rows(session, scope) == 0
    copy()
    utc = replace(scope, zone="UTC")
    rows = {
        (date(2026, 1, 1), date(2026, 6, 1)): 2 * (28 + 31),
        (date(2026, 2, 1), date(2026, 2, 15)): 28,
        (date(2026, 2, 28), date(2026, 3, 2)): 4,
        (date(2026, 4, 1), date(2026, 5, 1)): 0,
    }
    for (start, end), expected in rows.items():
        assert opening.copied_rows(session, replace(utc, start=start, end=end)) == expected


def test_a_question_that_takes_too_long_is_stopped_and_not_asked_again(
    session: Session,
    settings: Settings,
    send: Send,
    copy: Copy,
    scope: Scope,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    send(*((f"a{number}", 0) for number in range(60)))
    copy()
    many = [aliased(RunFact) for _ in range(6)]
    slow = select(func.sum(sum(one.events * one.first_seq for one in many)))
    with open_facts(session, scope, settings=settings) as found:
        monkeypatch.setattr(facts, "STATEMENT_TIMEOUT_MS", 100)
        with pytest.raises(TooSlow, match="too long"):
            found.rows(slow)
        monkeypatch.undo()
        assert traffic.events(found, scope) == 60
        assert isinstance(found, SurvivingFacts)
        assert not isinstance(found._facts, PostgresFacts)


def test_postgresqls_own_limit_is_the_same_error(session: Session) -> None:
    session.execute(text("SET LOCAL statement_timeout = 50"))
    with pytest.raises(TooSlow, match="too long"):
        PostgresFacts(session).rows(select(func.pg_sleep(30)))
