"""Files laid into the inbox are imported once and put away with a report."""

import json
import os
import threading
import time
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from leitstand.db.models import Event, RunFact, Workspace
from leitstand.errors import InvalidInput, Unavailable
from leitstand.events import inbox
from leitstand.events.inbox import read_options, scan, settled
from leitstand.settings import Settings

EVENTS = (
    "session_id,actor_id,activity,timestamp\ns1,a,Cart,2026-03-01T10:00:00Z\ns1,a,Paid,2026-03-01T10:05:00Z\n"
)


@pytest.fixture
def own(settings: Settings, tmp_path: Path) -> Settings:
    """Settings with an inbox of this test's own."""
    return settings.model_copy(update={"data_dir": tmp_path})


def lay(settings: Settings, name: str, content: str | bytes, age: float = 60, slug: str = "demo") -> Path:
    folder = settings.data_dir / "inbox" / slug
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    os.utime(path, (time.time() - age, time.time() - age))
    return path


def put_away(settings: Settings, where: str) -> list[str]:
    return sorted(
        path.name.split("-", 1)[1] for path in (settings.data_dir / "inbox" / "demo" / where).iterdir()
    )


def events(session: Session) -> int:
    return session.scalar(select(func.count()).select_from(Event)) or 0


def test_a_file_is_imported_and_put_away_with_its_report(
    engine: Engine, session: Session, own: Settings, workspace: Workspace
) -> None:
    lay(own, "shop.csv", EVENTS)
    lay(own, inbox.OPTIONS, '{"complete": ["Paid"], "zone": "Asia/Kathmandu"}')
    results = scan(engine, own)
    assert [(result.workspace, result.file, result.ok) for result in results] == [("demo", "shop.csv", True)]
    assert put_away(own, "done") == ["shop.csv", "shop.csv.report.json"]
    report = json.loads(next((own.data_dir / "inbox" / "demo" / "done").glob("*.report.json")).read_text())
    assert (report["accepted"], report["ok"]) == (2, True)
    assert events(session) == 2
    assert session.scalars(select(RunFact)).one().completed_at is not None
    session.refresh(workspace)
    assert workspace.reporting_zone == "Asia/Kathmandu"
    assert scan(engine, own) == []


def test_the_same_file_again_adds_nothing(
    engine: Engine, session: Session, own: Settings, workspace: Workspace
) -> None:
    lay(own, "shop.csv", EVENTS)
    scan(engine, own)
    lay(own, "shop.csv", EVENTS)
    assert scan(engine, own)[0].summary == "0 new, 2 known, 0 refused"
    assert events(session) == 2
    assert len(put_away(own, "done")) == 4


def test_a_file_that_is_none_goes_to_failed_and_stops_no_other(
    engine: Engine, session: Session, own: Settings, workspace: Workspace
) -> None:
    lay(own, "a.csv", "colour,size\nred,3\n", age=90)
    lay(own, "b.csv", b"", age=80)
    lay(own, "c.csv", EVENTS, age=70)
    assert [(result.file, result.ok) for result in scan(engine, own)] == [
        ("a.csv", False),
        ("b.csv", False),
        ("c.csv", True),
    ]
    assert put_away(own, "failed") == ["a.csv", "a.csv.report.json", "b.csv", "b.csv.report.json"]
    assert events(session) == 2


def test_a_damaged_file_is_kept_as_failed_with_what_stood_before(
    engine: Engine, session: Session, own: Settings, workspace: Workspace
) -> None:
    import gzip

    many = EVENTS + "".join(
        f"s{number},a,Cart,2026-03-01T10:00:{number % 60:02}Z\n" for number in range(20_000)
    )
    whole = gzip.compress(many.encode())
    lay(own, "cut.csv.gz", whole[: len(whole) // 2])
    result = scan(engine, own)[0]
    assert not result.ok
    assert "damaged" in result.summary
    assert events(session) > 0


def test_bad_options_name_the_mistake(engine: Engine, own: Settings, workspace: Workspace) -> None:
    lay(own, "shop.csv", EVENTS)
    lay(own, inbox.OPTIONS, '{"complete": "Paid"}')
    result = scan(engine, own)[0]
    assert not result.ok
    assert "lists of names" in result.report["error"]


@pytest.mark.parametrize("said", ["[]", '{"nonsense": 1}', '{"steps": [1]}', '{"zone": []}', "{", "\xff"])
def test_options_that_are_none_are_refused(tmp_path: Path, said: str) -> None:
    path = tmp_path / "options.json"
    path.write_text(said, encoding="latin-1")
    with pytest.raises(InvalidInput):
        read_options(path)


def test_only_whole_files_that_lie_here_are_taken(own: Settings, tmp_path: Path) -> None:
    outside = tmp_path / "outside.csv"
    outside.write_text(EVENTS)
    folder = lay(own, "good.csv", EVENTS).parent
    lay(own, "fresh.csv", EVENTS, age=0)
    for name in (".hidden.csv", "half.csv.part", "half.TMP", inbox.OPTIONS):
        lay(own, name, EVENTS)
    (folder / "link.csv").symlink_to(outside)
    (folder / "folder.csv").mkdir()
    assert [path.name for path in settled(folder, time.time())] == ["good.csv"]


def test_folders_of_no_workspace_are_left_alone(engine: Engine, own: Settings, workspace: Workspace) -> None:
    path = lay(own, "shop.csv", EVENTS, slug="stranger")
    assert scan(engine, own) == []
    assert path.exists()


def test_two_scans_do_not_meet(engine: Engine, own: Settings, workspace: Workspace) -> None:
    lay(own, "shop.csv", EVENTS)
    results: list[int] = []
    with inbox.alone(own.data_dir / "inbox" / inbox.LOCK):
        other = threading.Thread(target=lambda: results.append(len(scan(engine, own))))
        other.start()
        other.join()
    assert results == [0]
    assert len(scan(engine, own)) == 1


def test_a_database_that_goes_away_leaves_the_file_where_it_is(
    engine: Engine, own: Settings, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = lay(own, "shop.csv", EVENTS)

    def away(*_: object, **__: object) -> None:
        raise Unavailable("The database went away.")

    monkeypatch.setattr(inbox, "import_file", away)
    with pytest.raises(Unavailable):
        scan(engine, own)
    assert path.exists()
