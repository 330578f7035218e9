"""The overview's store: what an address may say, what it gives, and to whom."""

from datetime import timedelta

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from leitstand.db.models import Item, Membership, Person, UserSession, Workspace
from leitstand.errors import Forbidden, NotSignedIn
from leitstand.identity import sessions
from panel_apps.access import Visitor
from panel_apps.overview.store import OverviewStore
from tests.integration.panel_apps.support import HOSTILE, Log
from tests.people import PASSWORD, join

DAY = timedelta(days=1)


def sign_in(session: Session, person: Person, permission: str = "insights:read") -> Visitor:
    signed_in = sessions.sign_in(session, email=person.email, password=PASSWORD, address="", user_agent="")
    session.commit()
    return Visitor(signed_in.principal, permission, signed_in.token)


@pytest.fixture
def analyst(session: Session, workspace: Workspace) -> Visitor:
    return sign_in(session, join(session, workspace, role="analyst"))


def test_figures_are_those_of_the_log(analyst: Visitor, log: Log) -> None:
    store = OverviewStore(analyst, range="last-7")
    snapshot = store.load()
    now = log.of(log.today - 6 * DAY, log.today)
    before = log.of(log.today - 13 * DAY, log.today - 7 * DAY)
    figures = snapshot.answers.now.figures
    assert (figures.runs.viewed, figures.runs.completed) == (len(now), sum(run[3] for run in now))
    assert figures.active_users == len({run[2] for run in now})
    assert figures.events == 2 * len(now)
    assert list(snapshot.answers.now.traffic["viewed"]) == [len(log.of(day, day)) for day in _days(log, 7)]
    assert snapshot.answers.before is not None
    assert snapshot.answers.before.figures.runs.viewed in {
        len(before),
        len(before) - len(log.of(log.today - 7 * DAY, log.today - 7 * DAY)),
    }
    assert not snapshot.notices


def test_one_companion_by_id_or_name(analyst: Visitor, log: Log, session: Session) -> None:
    expected = len(log.of(log.today - 29 * DAY, log.today, HOSTILE))
    companion = session.scalars(select(Item).where(Item.external_key == HOSTILE)).one()
    for word in (str(companion.id), HOSTILE):
        store = OverviewStore(analyst, companion=word)
        snapshot = store.load()
        assert snapshot.answers.now.figures.runs.viewed == expected
        assert store.companion == str(companion.id)
        assert snapshot.companion == HOSTILE


@pytest.mark.parametrize(
    ("choice", "word"),
    [
        ("zone", "Mars/Olympus"),
        ("zone", "../../etc/passwd"),
        ("zone", "+02:00"),
        ("companion", "no such"),
        ("companion", "00000000-0000-7000-8000-000000000000"),
        ("companion", "a\x00b"),
        ("companion", "x" * 5000),
        ("range", "tomorrow"),
        ("range", "2026-02-31..2026-03-01"),
        ("compare", "everything"),
    ],
)
def test_what_an_address_can_not_say_is_corrected_and_named(
    analyst: Visitor, log: Log, choice: str, word: str
) -> None:
    usual = OverviewStore(analyst).load()
    store = OverviewStore(analyst, **{choice: word})
    snapshot = store.load()
    assert len(snapshot.notices) == 1
    assert len(snapshot.notices[0]) < 250
    assert snapshot.answers.now.figures == usual.answers.now.figures
    assert getattr(store, choice) != word
    assert not store.load().notices  # the corrected address is right


def test_nothing_of_another_workspace(analyst: Visitor, log: Log, session: Session) -> None:
    other = Workspace(slug="other", name="Other")
    session.add(other)
    session.commit()
    stranger = sign_in(session, join(session, other, role="owner"))
    triage = session.scalars(select(Item).where(Item.external_key == "triage")).one()
    assert OverviewStore(analyst, range="all").load().answers.now.figures.events > 0
    for companion in ("all", "triage", str(triage.id)):
        snapshot = OverviewStore(stranger, range="all", companion=companion).load()
        assert snapshot.empty
        assert snapshot.newest is None
    assert OverviewStore(stranger).companions() == {}
    assert set(OverviewStore(analyst).companions().values()) == {"triage", HOSTILE}


def test_an_answer_is_not_shared_beyond_its_workspace_and_permissions(
    analyst: Visitor, log: Log, session: Session, workspace: Workspace
) -> None:
    from panel_apps.scoped import ANSWERS

    OverviewStore(analyst).load()
    OverviewStore(analyst).load()
    assert len(ANSWERS) == 1
    operator = sign_in(session, join(session, workspace, role="operator"))
    OverviewStore(operator).load()
    assert len(ANSWERS) == 2


def test_an_ended_session_gets_nothing(analyst: Visitor, log: Log, session: Session) -> None:
    store = OverviewStore(analyst)
    store.load()
    sessions.sign_out(session, principal=analyst.principal)
    session.commit()
    for acting in (True, False):
        with pytest.raises(NotSignedIn):
            store.load(acting=acting)


def test_a_role_that_was_taken_gets_nothing(analyst: Visitor, log: Log, session: Session) -> None:
    store = OverviewStore(analyst)
    store.load()
    session.execute(
        update(Membership).where(Membership.person_id == analyst.principal.person_id).values(role="member")
    )
    session.commit()
    with pytest.raises(Forbidden):
        store.load()


def test_a_page_that_refreshes_itself_keeps_no_session_alive(analyst: Visitor, session: Session) -> None:
    mine = UserSession.id == analyst.principal.session_id
    session.execute(
        update(UserSession).where(mine).values(last_seen_at=UserSession.last_seen_at - timedelta(minutes=5))
    )
    session.commit()
    before = session.scalars(select(UserSession.last_seen_at).where(mine)).one()
    analyst.confirm(acting=False)
    session.rollback()
    assert session.scalars(select(UserSession.last_seen_at).where(mine)).one() == before
    analyst.confirm()
    session.rollback()
    assert session.scalars(select(UserSession.last_seen_at).where(mine)).one() > before


def test_asking_again_does_not_wait_for_a_request_that_is_still_at_work(
    analyst: Visitor, session: Session
) -> None:
    mine = UserSession.id == analyst.principal.session_id
    session.execute(
        update(UserSession).where(mine).values(last_seen_at=UserSession.last_seen_at - timedelta(minutes=5))
    )
    session.commit()
    sessions.authenticate(session, analyst.token)  # holds its row until it commits
    assert analyst.confirm() == analyst.principal
    session.rollback()


def test_an_empty_workspace_has_an_answer_to_everything(analyst: Visitor) -> None:
    for word in ("recent", "last-7", "this-month", "all", "2020-01-01..2020-01-01"):
        snapshot = OverviewStore(analyst, range=word).load()
        assert snapshot.empty
        assert snapshot.scope.start < snapshot.scope.end


def test_all_there_is_has_nothing_before_it(analyst: Visitor, log: Log) -> None:
    snapshot = OverviewStore(analyst, range="all").load()
    assert snapshot.answers.before is None
    assert snapshot.answers.now.figures.runs.viewed == len(log.runs)


def _days(log: Log, count: int) -> list[object]:
    return [log.today - age * DAY for age in reversed(range(count))]
