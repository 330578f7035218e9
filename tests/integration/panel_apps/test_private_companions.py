"""Another person's private companion counts in the workspace's figures, and nobody else is told its name."""

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from leitstand.db.models import Companion, Item, Person, Workspace
from leitstand.reports.figures import of_period
from leitstand.reports.periods import WEEK, containing
from panel_apps.access import Visitor
from panel_apps.overview.store import OverviewStore
from panel_apps.serve import APPLICATIONS
from tests.apps import api_app
from tests.integration.panel_apps.support import HOSTILE, Log
from tests.integration.panel_apps.test_apps import BY_COMPANION, shown
from tests.integration.panel_apps.test_store import sign_in
from tests.people import join, visit

HIDDEN = "triage"


@pytest.fixture
def keeper(session: Session, workspace: Workspace) -> Person:
    """Whose companion it is."""
    return join(session, workspace, role="creator", email="keeper@demo.test")


@pytest.fixture
def hidden(session: Session, log: Log, keeper: Person) -> Item:
    """A private companion with runs."""
    item = session.scalars(select(Item).where(Item.external_key == HIDDEN)).one()
    item.visibility, item.owner_id = "private", keeper.id
    session.get_one(Companion, item.id).slug = "triage-link"
    session.commit()
    return item


@pytest.fixture
def reader(session: Session, workspace: Workspace) -> Visitor:
    """An owner of the workspace, who may do everything but see what is another's own."""
    return sign_in(session, join(session, workspace, role="owner", email="reader@demo.test"))


@pytest.mark.parametrize("path", BY_COMPANION)
def test_no_dashboard_names_it_however_it_is_asked_for(reader: Visitor, hidden: Item, path: str) -> None:
    module = APPLICATIONS[path]
    for word in ("all", HIDDEN, "triage-link", str(hidden.id)):
        snapshot, panes = shown(module, reader, range="all", companion=word)
        assert snapshot.scope.companion_id != hidden.id
        assert word == "all" or "There is no companion" in panes["status"]
        told = "".join(panes.values()).replace("“triage”", "").replace("“triage-link”", "")
        assert HIDDEN not in told and str(hidden.id) not in told.replace(f"“{hidden.id}”", "")
    assert set(module.STORE(reader).companions().values()) == {HOSTILE}


def test_its_runs_count_and_its_owner_sees_it(
    reader: Visitor, session: Session, hidden: Item, keeper: Person, log: Log
) -> None:
    answers = OverviewStore(reader, range="all").load().answers
    assert answers.now.figures.runs.viewed == len(log.runs)
    assert list(answers.top["companion"]) == list(answers.popular["companion"]) == [HOSTILE]
    own = OverviewStore(sign_in(session, keeper), range="all", companion=HIDDEN).load()
    assert (own.companion, own.notices) == (HIDDEN, ())
    assert HIDDEN in set(own.answers.top["companion"])


def test_the_api_knows_it_as_little_as_one_that_is_not_there(
    session: Session, workspace: Workspace, hidden: Item, keeper: Person
) -> None:
    analyst = visit(api_app(), session, join(session, workspace, role="analyst")).client
    owner = visit(api_app(), session, keeper).client

    def ask(client: TestClient, word: str) -> tuple[int, str]:
        answer = client.get("/api/v1/insights/report", params={"companion": word})
        return answer.status_code, answer.text.replace(word, "WORD")

    for word in (HIDDEN, "triage-link", str(hidden.id)):
        status, text = ask(analyst, word)
        assert status == 404
        assert HIDDEN not in text
        assert ask(owner, word)[0] == 200
    assert HIDDEN not in analyst.get("/api/v1/insights/report").text
    assert HIDDEN in owner.get("/api/v1/insights/report").text


def test_a_report_names_it_to_nobody_and_counts_it(session: Session, hidden: Item, log: Log) -> None:
    period = containing(WEEK, log.today)
    document = of_period(session, hidden.workspace_id, period, "UTC")
    assert document["now"]["runs"]["viewed"] == len(log.of(period.start, log.today))
    assert HIDDEN not in str(document)
