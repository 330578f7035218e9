"""Importing event files: once, in any form, in any order, and again."""

import random
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from leitstand.db.models import Companion, Event, EventImport, EventRefusal, Item, Workspace
from leitstand.events import batches
from leitstand.events.importer import Progress
from tests.integration.events.support import (
    count,
    event,
    facts_of,
    imported,
    write_csv,
    write_ndjson,
    write_parquet,
)

FORMS: dict[str, Callable[[Path, Iterable[dict[str, str]]], Path]] = {
    "events.csv": write_csv,
    "events.csv.gz": write_csv,
    "events.ndjson": write_ndjson,
    "events.ndjson.gz": write_ndjson,
    "events.parquet": write_parquet,
}


def some_events(number: int = 60) -> list[dict[str, str]]:
    """Events of several sessions, actors, flows and months."""
    chance = random.Random(3)
    return [
        event(
            session=chance.choice(["NA", "INF", "1", "01", "s, \"5\""]),
            activity=chance.choice(["open", "answer", "done"]),
            at=f"2026-{chance.randint(1, 3):02}-{chance.randint(1, 28):02}T{chance.randint(0, 23):02}:00:{place:02}.5+02:00",
            actor_id=chance.choice(["ann", "bob", "", "Zoë\n2"]),
            seq=str(place),
            flow_id=chance.choice(["f", "g"]),
            item=chance.choice(["", "page\tone"]),
            note=chance.choice(["", "tab\tquote\" back\\slash\nline", "{}"]),
        )
        for place in range(number)
    ]  # fmt: skip


@pytest.mark.parametrize("name", FORMS)
def test_every_form_gives_the_same_facts_and_adds_nothing_to_another(
    engine: Engine, workspace: Workspace, tmp_path: Path, name: str
) -> None:
    rows = some_events()
    first = imported(engine, workspace.id, FORMS[name](tmp_path / name, rows), complete=["done"])
    facts = facts_of(engine, workspace.id)
    assert first.counts.accepted == len(rows)
    assert count(engine, "event", workspace.id) == len(rows)
    for other, write in FORMS.items():
        random.Random(1).shuffle(rows)
        again = imported(engine, workspace.id, write(tmp_path / f"again-{other}", rows))
        assert (again.counts.accepted, again.counts.duplicates) == (0, len(rows)), other
    assert facts_of(engine, workspace.id) == facts


def test_what_stands_in_a_file_stands_in_the_ledger(
    engine: Engine, workspace: Workspace, tmp_path: Path
) -> None:
    row = event(
        session="NA",
        actor_id="INF",
        item="page\tone",
        note='a\\b\n"c"\r',
        seq="7",
        at="2026-01-01T01:00:00.123456+01:00",
    )
    imported(engine, workspace.id, write_csv(tmp_path / "events.csv", [row]))
    with Session(engine) as session:
        stored = session.execute(select(Event)).scalar_one()
    assert (stored.run_key, stored.actor_key, stored.touched, stored.step, stored.seq) == (
        "NA",
        "INF",
        "page\tone",
        "x",
        7,
    )
    assert stored.occurred_at.isoformat() == "2026-01-01T00:00:00.123456+00:00"
    assert stored.props == {"note": 'a\\b\n"c"\r'}
    assert (stored.kind, stored.actor_kind, stored.source, stored.is_test) == (
        "answered",
        "visitor",
        "import",
        False,
    )


def test_the_same_file_again_does_nothing_and_says_so(
    engine: Engine, workspace: Workspace, tmp_path: Path
) -> None:
    path = write_csv(tmp_path / "events.csv", some_events())
    imported(engine, workspace.id, path)
    again = imported(engine, workspace.id, path)
    assert again.already_imported
    document = again.to_dict()
    assert (document["lines"], document["accepted"], document["duplicates"]) == (60, 0, 60)


def test_a_renamed_copy_without_flow_and_item_adds_nothing(
    engine: Engine, workspace: Workspace, tmp_path: Path
) -> None:
    rows = [event(flow_id="", seq=str(place)) for place in range(3)]
    imported(engine, workspace.id, write_csv(tmp_path / "visits.csv.gz", rows))
    again = imported(engine, workspace.id, write_csv(tmp_path / "copy.csv", rows))
    assert (again.counts.accepted, again.counts.duplicates) == (0, 3)
    assert [run[0] for run in facts_of(engine, workspace.id)["runs"]] == ["visits"]


def test_identical_lines_are_one_event_and_are_counted(
    engine: Engine, workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "MOST_RECORDS", 4)
    rows = [
        event(session="a"),
        event(session="a"),
        event(session="b"),
        event(session="c"),
        event(session="d"),
        event(session="a"),
    ]
    first = imported(engine, workspace.id, write_csv(tmp_path / "one.csv", rows))
    assert (first.counts.accepted, first.counts.identical, first.counts.duplicates) == (4, 2, 0)
    second = imported(engine, workspace.id, write_csv(tmp_path / "two.csv", [*rows, event(session="e")]))
    assert (second.counts.accepted, second.counts.identical, second.counts.duplicates) == (1, 1, 5)
    assert count(engine, "event", workspace.id) == 5


def test_workspaces_keep_their_own_events(
    engine: Engine, session: Session, workspace: Workspace, tmp_path: Path
) -> None:
    other = Workspace(slug="other", name="Other")
    session.add(other)
    session.commit()
    path = write_csv(tmp_path / "events.csv", some_events())
    imported(engine, workspace.id, path)
    assert imported(engine, other.id, path).counts.accepted == 60
    assert facts_of(engine, other.id) == facts_of(engine, workspace.id)


def test_bad_lines_are_kept_with_number_reason_and_text(
    engine: Engine, session: Session, workspace: Workspace, tmp_path: Path
) -> None:
    path = tmp_path / "events.csv"
    path.write_bytes(
        b"session_id,actor_id,activity,timestamp\n"
        b"a,x,one,2026-01-01T00:00:00Z\n"
        b"b,x,two,yesterday\n"
        b",x,two,2026-01-01T00:00:00Z\n"
        b"c,x\0,two,2026-01-01T00:00:00Z\n"
        b'd,"x,two,2026-01-01T00:00:00Z\n'
        b"e,x,two,2026-01-01T00:00:00Z,more\n"
        b"f,\xff,two,2026-01-01T00:00:00Z\n"
        b"g,x,two,2026-01-01T00:00:00Z\n"
    )
    result = imported(engine, workspace.id, path)
    assert (result.counts.accepted, result.counts.refused, result.counts.lines) == (2, 6, 8)
    assert [line for line, _ in result.refusals] == [3, 4, 5, 6, 7, 8]
    kept = session.execute(select(EventRefusal).order_by(EventRefusal.line)).scalars().all()
    assert [(row.line, row.raw.split(",")[0]) for row in kept] == [
        (3, "b"),
        (4, ""),
        (5, "c"),
        (6, "d"),
        (7, "e"),
        (8, "f"),
    ]
    assert "timestamp 'yesterday' is not ISO 8601" in kept[0].reason
    assert kept[5].raw == "f,\\xff,two,2026-01-01T00:00:00Z"
    assert imported(engine, workspace.id, path, complete=["two"]).counts.refused == 6
    assert count(engine, "event_refusal", workspace.id) == 6


def test_only_a_bounded_part_of_a_huge_bad_line_is_kept(
    engine: Engine, session: Session, workspace: Workspace, tmp_path: Path
) -> None:
    path = tmp_path / "events.csv"
    path.write_text("session_id,actor_id,activity,timestamp\n" + "é" * 400_000 + "\n")
    imported(engine, workspace.id, path)
    assert len(session.execute(select(EventRefusal.raw)).scalar_one()) == 2_000


def test_a_truncated_file_gives_what_it_has_and_says_so(
    engine: Engine, workspace: Workspace, tmp_path: Path
) -> None:
    whole = write_csv(
        tmp_path / "events.csv.gz",
        (event(session=str(place), note=str(hash(place))) for place in range(30_000)),
    )
    cut = tmp_path / "cut.csv.gz"
    cut.write_bytes(whole.read_bytes()[:-1000])
    result = imported(engine, workspace.id, cut)
    assert result.truncated
    assert 0 < result.counts.accepted < 30_000
    assert result.counts.refused == 1
    assert result.refusals[0][0] == result.counts.accepted + 2
    assert imported(engine, workspace.id, cut).truncated
    rest = imported(engine, workspace.id, whole)
    assert rest.counts.accepted == 30_000 - result.counts.accepted
    assert count(engine, "event", workspace.id) == 30_000


def test_only_a_header_is_an_import_of_nothing(engine: Engine, workspace: Workspace, tmp_path: Path) -> None:
    result = imported(engine, workspace.id, write_csv(tmp_path / "events.csv", []))
    assert result.counts.lines == 0
    assert not result.truncated


def test_a_future_time_is_set_back_noted_and_known_again(
    engine: Engine, session: Session, workspace: Workspace, tmp_path: Path
) -> None:
    rows = [event(at="2098-05-06T07:08:09Z")]
    imported(engine, workspace.id, write_csv(tmp_path / "one.csv", rows))
    stored = session.execute(select(Event)).scalar_one()
    assert stored.occurred_at == stored.received_at
    assert stored.props == {"occurred_at_claimed": "2098-05-06T07:08:09+00:00"}
    assert imported(engine, workspace.id, write_ndjson(tmp_path / "two.ndjson", rows)).counts.duplicates == 1


def test_progress_grows_to_the_end(
    engine: Engine, workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "MOST_RECORDS", 10)
    told: list[Progress] = []
    imported(engine, workspace.id, write_csv(tmp_path / "events.csv", some_events(55)), progress=told.append)
    assert [progress.counts.lines for progress in told] == [10, 20, 30, 40, 50, 55]
    assert told[-1].share == 1.0


def test_options_are_kept_and_told_anew_without_new_events(
    engine: Engine, session: Session, workspace: Workspace, tmp_path: Path
) -> None:
    rows = [
        event("a", "open", seq="1"),
        event("a", "done", seq="2"),
        event("b", "open"),
        event("c", "end"),
        event("d", "done", flow_id="other"),
    ]
    path = write_csv(tmp_path / "events.csv", rows)
    imported(engine, workspace.id, path, complete=["done"], steps=["open", "done"])
    assert completed(engine, workspace) == {"a", "d"}
    again = imported(engine, workspace.id, path, complete=["end"], zone="Asia/Tokyo")
    assert (again.counts.accepted, again.counts.duplicates, again.already_imported) == (0, 5, False)
    assert completed(engine, workspace) == {"c"}
    assert imported(engine, workspace.id, path).already_imported
    assert completed(engine, workspace) == {"c"}
    stored = session.execute(select(Companion.end_steps, Companion.funnel)).all()
    assert [tuple(map(tuple, row)) for row in stored] == [(("end",), ("open", "done"))] * 2
    session.refresh(workspace)
    assert workspace.reporting_zone == "Asia/Tokyo"


def test_another_file_that_tells_other_options_lets_the_first_be_told_again(
    engine: Engine, workspace: Workspace, tmp_path: Path
) -> None:
    first = write_csv(tmp_path / "one.csv", [event("a", "done"), event("b", "end")])
    imported(engine, workspace.id, first, complete=["done"])
    imported(engine, workspace.id, write_csv(tmp_path / "two.csv", [event("c", "end")]), complete=["end"])
    assert completed(engine, workspace) == {"b", "c"}
    imported(engine, workspace.id, first, complete=["done"])
    assert completed(engine, workspace) == {"a"}


def completed(engine: Engine, workspace: Workspace) -> set[str]:
    """The runs that are completed."""
    return {run[1] for run in facts_of(engine, workspace.id)["runs"] if run[7] is not None}


def test_names_that_no_event_has_are_reported(engine: Engine, workspace: Workspace, tmp_path: Path) -> None:
    result = imported(
        engine,
        workspace.id,
        write_csv(tmp_path / "events.csv", [event()]),
        complete=["Done"],
        steps=["x", "y"],
    )
    assert result.unknown_steps == ["Done", "y"]


def test_a_session_over_several_companions_of_a_log_is_one_run(
    engine: Engine, workspace: Workspace, tmp_path: Path
) -> None:
    rows = [
        event("s", "one", "2026-01-01T00:05:00Z", flow_id="", item="later"),
        event("s", "two", "2026-01-01T00:00:00Z", flow_id="", item="first"),
        event("s", "three", "2026-01-01T00:09:00Z", flow_id="", item=""),
    ]
    imported(engine, workspace.id, write_csv(tmp_path / "visits.csv", rows))
    ((companion, run, *_, steps),) = facts_of(engine, workspace.id)["runs"]
    assert (companion, run, steps) == ("first", "s", ["one", "three", "two"])


def test_logs_whose_sessions_share_names_stay_apart(
    engine: Engine, workspace: Workspace, tmp_path: Path
) -> None:
    imported(engine, workspace.id, write_csv(tmp_path / "a.csv", [event("1", flow_id="billing")]))
    imported(engine, workspace.id, write_csv(tmp_path / "b.csv", [event("1", flow_id="website", seq="9")]))
    assert [run[:2] for run in facts_of(engine, workspace.id)["runs"]] == [("billing", "1"), ("website", "1")]


def test_a_log_in_two_files_is_one(engine: Engine, workspace: Workspace, tmp_path: Path) -> None:
    imported(
        engine, workspace.id, write_csv(tmp_path / "jan.csv", [event("1", "open", "2026-01-31T23:59:00Z")])
    )
    imported(
        engine,
        workspace.id,
        write_csv(tmp_path / "feb.csv", [event("1", "done", "2026-02-01T00:01:00Z")]),
        complete=["done"],
    )
    ((_, _, first_at, _, last_at, _, _, completed_at, *_),) = facts_of(engine, workspace.id)["runs"]
    assert (first_at.month, last_at.month, completed_at) == (1, 2, last_at)


def test_a_run_of_very_many_steps_keeps_a_bounded_number(
    engine: Engine, workspace: Workspace, tmp_path: Path
) -> None:
    rows = [event(activity=f"step {place:05}") for place in range(1_500)]
    imported(engine, workspace.id, write_csv(tmp_path / "late.csv", rows[700:]))
    imported(engine, workspace.id, write_csv(tmp_path / "early.csv", rows[:700]))
    ((*_, steps),) = facts_of(engine, workspace.id)["runs"]
    assert steps == [f"step {place:05}" for place in range(1_000)]


def test_an_import_at_the_same_time_waits_and_adds_nothing(
    engine: Engine, workspace: Workspace, tmp_path: Path
) -> None:
    path = write_csv(tmp_path / "events.csv", (event(str(place)) for place in range(25_000)))
    results = in_parallel([lambda: imported(engine, workspace.id, path).to_dict() for _ in range(2)])
    assert sorted(result["accepted"] for result in results) == [0, 25_000]
    assert count(engine, "event", workspace.id) == 25_000


def test_copies_imported_at_the_same_time_add_each_event_once(
    engine: Engine, workspace: Workspace, tmp_path: Path
) -> None:
    rows = [event(str(place // 3), seq=str(place), actor_id=f"a{place % 7}") for place in range(24_000)]
    paths = [
        write_csv(tmp_path / "a.csv", rows),
        write_csv(tmp_path / "b.csv.gz", reversed(rows)),
        write_ndjson(tmp_path / "c.ndjson", rows),
    ]
    results = in_parallel(
        [lambda path=path: imported(engine, workspace.id, path).to_dict() for path in paths]
    )
    assert sum(result["accepted"] for result in results) == 24_000
    assert all(result["accepted"] + result["duplicates"] == 24_000 for result in results)
    facts = facts_of(engine, workspace.id)
    assert sum(run[9] for run in facts["runs"]) == sum(bucket[5] for bucket in facts["buckets"]) == 24_000
    assert len(facts["runs"]) == 8_000


def in_parallel(tasks: list[Callable[[], dict[str, int]]]) -> list[dict[str, int]]:
    """Run tasks in threads of their own; their results, or the first error."""
    results: list[dict[str, int]] = []
    errors: list[BaseException] = []

    def run(task: Callable[[], dict[str, int]]) -> None:
        try:
            results.append(task())
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=[task]) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors, errors
    return results


def test_companions_are_found_by_the_name_that_the_log_gives(
    engine: Engine, session: Session, workspace: Workspace, tmp_path: Path
) -> None:
    imported(engine, workspace.id, write_csv(tmp_path / "events.csv", [event(flow_id="Größe 'x'")]))
    item = session.execute(select(Item)).scalar_one()
    assert (item.external_key, item.title, item.status, item.kind) == (
        "Größe 'x'",
        "Größe 'x'",
        "published",
        "companion",
    )
    (stored,) = session.execute(select(EventImport)).scalars()
    assert (stored.status, stored.accepted, stored.lines_done) == ("done", 1, 2)
