"""The operations dashboard: its evidence, its parts and its permission."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from leitstand.backups.conditions import conditions
from leitstand.db.engine import get_engine
from leitstand.db.models import Backup, CheckRun, Drill, EvidenceLink, FlowExecution, Membership, Workspace
from leitstand.errors import Forbidden
from leitstand.health.overview import ServiceState
from leitstand.runbooks.chain_check import check_chain
from leitstand.settings import Settings
from leitstand.storage.objects import ObjectStorage
from panel_apps.access import Visitor
from panel_apps.operations import parts
from panel_apps.operations.store import OperationsStore
from panel_apps.operations.views import OperationsView
from panel_apps.parts import tiles_html
from tests.integration.panel_apps.test_store import sign_in
from tests.people import join

NOW = datetime.now(UTC)
SHA = "ab" * 32
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def operator(session: Session, workspace: Workspace) -> Visitor:
    return sign_in(session, join(session, workspace, role="operator"), "operations:read")


@pytest.fixture
def evidence(session: Session) -> None:
    """Ten days of backups, drills, executions and checks; one drill, execution and check failed."""
    for age in range(10):
        at = NOW - timedelta(days=age, hours=2)
        backup = Backup(
            kind="postgres", engine="pg_basebackup", status="complete", started_at=at, finished_at=at + timedelta(seconds=9),
            location="s3://backups/x", bytes=51_000_000, sha256=SHA, verified_at=at + timedelta(hours=1) if age else None,
        )  # fmt: skip
        session.add(backup)
        session.flush()
        failed = age == 3
        session.add(
            Drill(
                kind="postgres-latest", backup_id=backup.id, status="failed" if failed else "passed", started_at=at,
                finished_at=at + timedelta(minutes=1), rpo_seconds=None if failed else 30.0 + age, rto_seconds=None if failed else 45.0,
                notebook=f"s3://evidence/drill-{age}.ipynb", notebook_sha256=SHA, error=HOSTILE if failed else "",
            )
        )  # fmt: skip
        session.add(
            FlowExecution(
                flow="backup-postgres",
                scheduled_for=at,
                status="failed" if failed else "completed",
                started_at=at,
                error=HOSTILE,
            )
        )
        session.add(
            CheckRun(
                suite="events",
                target="live",
                success=not failed,
                evaluated=14,
                failed=int(failed),
                result={},
                at=at,
            )
        )
    session.commit()


def shown(view: OperationsView) -> dict[str, str]:
    return {name: str(pane.object) for name, pane in view.panes.items()}


def test_evidence_is_shown_in_full(operator: Visitor, evidence: None) -> None:
    view = OperationsView()
    view.show(OperationsStore(operator).load())
    found = shown(view)
    assert found["drills"].count("s3://evidence/drill-") == 10
    assert found["drills"].count(SHA) == 10
    assert "51 MB" in found["backups"]
    assert found["backups"].count("Restored") == 9
    assert "Failed: 1" in found["executions"]
    assert "1 of 14" in found["checks"]
    assert "9 of 10 drills within the target of 2 min. 1 failed." in found["rpo_words"]
    assert "<script" not in "".join(found.values())


def test_tiles_judge_by_the_targets(operator: Visitor, evidence: None, session: Session) -> None:
    snapshot = OperationsStore(operator).load()
    html = tiles_html(parts.tiles(snapshot.evidence, "UTC"))
    assert html.count('class="good"') == 3  # proof, recovery point and time
    session.execute(update(Drill).values(rto_seconds=4000.0, rpo_seconds=300.0))
    session.execute(update(Backup).values(verified_at=NOW - timedelta(hours=27)))
    session.commit()
    html = tiles_html(parts.tiles(OperationsStore(operator).load().evidence, "UTC"))
    assert 'class="good"' not in html
    # three judged figures, and two kinds without any backup
    assert html.count('class="bad"') == 5


def test_every_kind_of_drill_stands_beside_its_promise(
    operator: Visitor, evidence: None, session: Session
) -> None:
    at = NOW - timedelta(days=9)
    session.add(
        Drill(
            kind="objects-sample", status="passed", started_at=at, finished_at=at, rpo_seconds=5400.0, rto_seconds=2.0
        )
    )  # fmt: skip
    session.commit()
    view = OperationsView()
    view.show(OperationsStore(operator).load())
    rows = shown(view)["kinds"].split("</tr>")
    latest, objects = (
        next(it for it in rows if kind in it) for kind in ("postgres-latest", "objects-sample")
    )
    assert "9 of 10" in latest and latest.count('class="good"') == 3 and 'class="bad"' not in latest
    assert "10 drills, from 30 s to 39 s, promised 2 min, 1 failed" in latest
    assert latest.count("<circle") == 18 and latest.count('class="failed"') == 2
    # Proven nine days ago, and more would have been lost than is promised.
    assert objects.count('class="bad"') == 2
    assert "Never" in next(it for it in rows if "full-environment" in it)


def test_the_chain_says_its_length_its_newest_link_and_its_last_audit(
    operator: Visitor, evidence: None, session: Session, settings: Settings
) -> None:
    view, store = OperationsView(), OperationsStore(operator)
    view.show(store.load())
    assert "the first drill begins the chain" in shown(view)["chain"]
    for number, drill in enumerate(session.scalars(select(Drill).order_by(Drill.started_at)), 1):
        session.add(
            EvidenceLink(
                sequence=number,
                kind="run" if number < 10 else "signature",
                run_id=drill.id,
                at=NOW,
                content={},
                previous_sha256=f"{number - 1:064}",
                sha256=f"{number:064}",
            )
        )
    session.commit()
    view.show(store.load())
    assert "<dd>10</dd>" in shown(view)["chain"] and "Not audited yet" in shown(view)["chain"]
    assert f"{10:064}" in shown(view)["chain"] and "signature of postgres-latest" in shown(view)["chain"]
    ObjectStorage(settings).ensure_buckets()
    found = check_chain(get_engine(), settings)
    broken = found.results[0]["unexpected"]
    assert not found.success and broken >= 10
    view.show(store.load())
    assert f"broken links: {broken}; links since then: 0" in shown(view)["chain"]
    assert f"{broken} broken" in shown(view)["figures"]
    assert "checks-failing" in [it.name for it in conditions(session, settings)]


def test_the_charts_have_a_point_for_every_drill(operator: Visitor, evidence: None) -> None:
    view = OperationsView()
    view.show(OperationsStore(operator).load())
    for name in ("rpo", "rto"):
        assert len(view.charts[name].source.data["value"]) == 9
        assert len(view.charts[name].failed.data["value"]) == 1
    assert view.charts["rpo"].source.data["value"][-1] == 30.0
    assert view.charts["rpo"].figure.html_attributes["role"] == "img"


def test_the_period_limits_what_goes_back(operator: Visitor, evidence: None, session: Session) -> None:
    session.execute(update(Drill).values(started_at=NOW - timedelta(days=40)))
    session.add(Drill(kind="a-runbook", category="runbook", status="passed", started_at=NOW, finished_at=NOW))
    session.commit()
    assert "a-runbook" not in OperationsStore(operator).load().evidence.passed
    assert len(OperationsStore(operator, period="90").load().evidence.drills) == 10
    assert OperationsStore(operator, period="30").load().evidence.drills == []


def test_where_nothing_happened_yet_every_part_says_what_to_do(operator: Visitor) -> None:
    view = OperationsView()
    view.show(OperationsStore(operator).load())
    found = shown(view)
    assert "Never" in found["figures"]
    assert "leitstand backup run" in found["backups"]
    assert "leitstand drill run" in found["drills"]
    assert "leitstand checks run" in found["checks"]
    assert "No flow was executed" in found["executions"]


@pytest.mark.parametrize(
    ("choice", "word"), [("period", "7"), ("period", "<b>"), ("refresh", "1"), ("refresh", "-30")]
)
def test_what_an_address_can_not_say_is_corrected_and_named(
    operator: Visitor, choice: str, word: str
) -> None:
    store = OperationsStore(operator, **{choice: word})
    assert len(store.load().notices) == 1
    assert getattr(store, choice) != word
    assert not store.load().notices


def test_services_are_named_with_their_state() -> None:
    states = [
        ServiceState("web", "Web <b>", "http://127.0.0.1:1", "up", "", 3.2),
        ServiceState("api", "API", "http://127.0.0.1:2", "degraded", "database <slow>", 5.0),
        ServiceState("query", "Query", "http://127.0.0.1:3", "down", "connection refused", 1.0),
    ]
    html = parts.services_table(states)
    assert "1 of 3 services are up" in html
    assert html.index("Up</span>") < html.index("Degraded</span>") < html.index("Down</span>")
    assert "<b>" not in html
    assert "<slow>" not in html


def test_a_role_that_was_taken_gets_nothing(operator: Visitor, evidence: None, session: Session) -> None:
    store = OperationsStore(operator)
    store.load()
    session.execute(
        update(Membership).where(Membership.person_id == operator.principal.person_id).values(role="analyst")
    )
    session.commit()
    with pytest.raises(Forbidden):
        store.load()
    with pytest.raises(Forbidden):
        store.services()


def test_clearing_leaves_nothing(operator: Visitor, evidence: None) -> None:
    view = OperationsView()
    view.show(OperationsStore(operator).load())
    view.clear()
    assert set(shown(view).values()) == {""}
    assert view.charts["rto"].source.data["value"] == []
