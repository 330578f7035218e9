"""Conversations: kept word for word, their owner's alone, shared without what the reader may not open, gone when deleted."""

import hashlib
import json
import zipfile
from uuid import UUID

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from leitstand.catalogue import companions as catalogue_companions
from leitstand.catalogue import contents, grants, items, leaving, personal_export, trash
from leitstand.companions import versions
from leitstand.companions.flow import parse_flow
from leitstand.conversations import assistant, changing, companions, judging, talking
from leitstand.conversations.export import TYPES, export
from leitstand.conversations.reading import Filters, find, open_one
from leitstand.db.models import (
    AuditEntry,
    ConversationMessage,
    Document,
    Event,
    FlowRun,
    Item,
    RunFact,
    Workspace,
)
from leitstand.errors import Conflict, Forbidden, InvalidInput, NotFound
from leitstand.identity.access import Principal
from leitstand.knowledge.ingest import index_passages
from leitstand.knowledge.parsing.passages import cut
from leitstand.knowledge.parsing.readers import read
from leitstand.knowledge.spaces import create_space
from tests.people import PASSWORD, acting, join
from tests.unit.companions.test_steps import SHAPE, whole

FLOW = {
    "title": "Desk",
    "steps": [
        {"kind": "message", "name": "hello", "text": "Welcome.", "next": "topic"},
        {"kind": "question", "name": "topic", "text": "What is it about?", "next": "bye"},
        {"kind": "end", "name": "bye", "text": "Noted."},
    ],
}


@pytest.fixture
def anna(session: Session, workspace: Workspace) -> Principal:
    """A member."""
    return acting(session, workspace, join(session, workspace, role="member", name="Anna"))


@pytest.fixture
def boss(session: Session, workspace: Workspace) -> Principal:
    """An owner of the workspace."""
    return acting(session, workspace, join(session, workspace, name="Boss"))


@pytest.fixture
def desk(session: Session, boss: Principal) -> Item:
    """A published companion."""
    made = catalogue_companions.create(session, principal=boss, title="Desk")
    versions.save_version(session, principal=boss, companion_id=made.id, flow=parse_flow(FLOW))
    versions.publish(session, principal=boss, companion_id=made.id)
    session.commit()
    return made


def fill(session: Session, principal: Principal, title: str, text: str) -> Item:
    """A space of the principal with one document."""
    space = create_space(session, principal=principal, title=title)
    data = text.encode()
    document = Document(
        workspace_id=principal.workspace_id, space_id=space.id, title=title, object_key="x",
        media_type="text/markdown", bytes=len(data), sha256=hashlib.sha256(data).hexdigest(),
    )  # fmt: skip
    session.add(document)
    session.flush()
    index_passages(session, document, cut(title, read("text/markdown", data)))
    return space


def said(session: Session, principal: Principal, item_id: UUID) -> list[tuple[str, str]]:
    opened = open_one(session, principal=principal, item_id=item_id)
    return [(one.message.said_by, one.text) for one in opened.messages]


def test_a_conversation_asks_through_a_control_and_a_space(
    session: Session, anna: Principal, boss: Principal
) -> None:
    space = fill(session, boss, "Lanterns", "A lantern burns for eleven hours.")
    space.visibility = "private"
    control = contents.create(session, principal=boss, kind="control", title="Party", content=SHAPE)
    document = whole()
    for step in document["steps"]:
        step.update({n: str(i.id) for n, i in (("control", control), ("space", space)) if n in step})
        step.update({"person": str(boss.person_id)} if "person" in step else {})
    made = catalogue_companions.create(session, principal=boss, title="Desk")
    versions.save_version(session, principal=boss, companion_id=made.id, flow=parse_flow(document))
    versions.publish(session, principal=boss, companion_id=made.id)
    item_id = companions.begin_with(session, principal=anna, companion_id=made.id).item_id
    for revision, words in enumerate(
        ('{"people": 2}', "What is a zebra?", '{"people": 2}', "How long does a lantern burn?")
    ):
        companions.answer(session, principal=anna, item_id=item_id, revision=revision, words=words)
    texts = [text for _, text in said(session, anna, item_id)]
    assert companions.NOTHING in texts and "people: 2" in texts
    assert any("eleven hours" in text and text.endswith("[1] Lanterns") for text in texts)
    assert (
        texts[-1] == "Bye." and open_one(session, principal=anna, item_id=item_id).row.conversation.ended_at
    )


def test_a_conversation_with_a_companion_is_its_run_word_for_word(
    session: Session, anna: Principal, boss: Principal, desk: Item
) -> None:
    talk = companions.begin_with(session, principal=anna, companion_id=desk.id)
    assert companions.begin_with(session, principal=anna, companion_id=desk.id).item_id == talk.item_id
    for _ in range(2):
        companions.answer(session, principal=anna, item_id=talk.item_id, revision=0, words="A parcel")
    assert said(session, anna, talk.item_id) == [
        ("companion", "Welcome."), ("companion", "What is it about?"), ("person", "A parcel"), ("companion", "Noted."),
    ]  # fmt: skip
    with pytest.raises(Conflict, match="has ended"):
        companions.answer(session, principal=anna, item_id=talk.item_id, revision=1, words="More")
    events = session.scalars(select(Event.kind).where(Event.companion_id == desk.id)).all()
    assert sorted(events) == ["answered", "completed", "viewed"]
    assert set(session.scalars(select(Event.actor_kind))) == {"member"}, "a member is no visitor"
    again = companions.begin_with(session, principal=anna, companion_id=desk.id)
    assert again.item_id != talk.item_id
    with pytest.raises(NotFound):
        open_one(session, principal=boss, item_id=talk.item_id)
    assert not find(session, principal=boss, filters=Filters()).rows
    catalogue_companions.withdraw(session, principal=boss, item_id=desk.id)
    with pytest.raises(Conflict, match="not published"):
        companions.answer(session, principal=anna, item_id=again.item_id, revision=0, words="x")


def test_the_assistant_cites_what_may_be_read_and_a_reader_sees_no_more_than_that(
    session: Session, anna: Principal, boss: Principal
) -> None:
    space = fill(session, boss, "Salaries", "The yearly bonus is paid in November.\n")
    talk = assistant.begin_asking(session, principal=boss, question="When is the yearly bonus paid?")
    (_, answer) = open_one(session, principal=boss, item_id=talk.item_id).messages
    assert "November" in answer.text
    assert [one["space_id"] for one in answer.citations] == [str(space.id)]
    items.update_item(session, principal=boss, item_id=space.id, visibility="private")
    own = assistant.begin_asking(session, principal=anna, question="When is the yearly bonus paid?")
    assert "November" not in str(said(session, anna, own.item_id))

    grants.share(session, principal=boss, item_id=talk.item_id, person_id=anna.person_id)
    opened = open_one(session, principal=anna, item_id=talk.item_id)
    assert [one.withheld for one in opened.messages] == [False, True]
    for form in TYPES:
        text = export(session, principal=anna, item_id=talk.item_id, form=form)
        assert "November" not in text
        assert "bonus" in text
        assert "November" in export(session, principal=boss, item_id=talk.item_id, form=form)
    with pytest.raises(Forbidden):
        talking.go_on(session, principal=anna, item_id=talk.item_id, question="And then?")
    with pytest.raises(Forbidden):
        changing.rename(session, principal=anna, item_id=talk.item_id, title="Mine")
    with pytest.raises(InvalidInput):
        items.update_item(session, principal=boss, item_id=talk.item_id, visibility="workspace")


def test_the_list_is_filtered_and_goes_on_by_keyset(session: Session, anna: Principal, desk: Item) -> None:
    with_desk = companions.begin_with(session, principal=anna, companion_id=desk.id)
    asked = [
        assistant.begin_asking(session, principal=anna, question=f"Zebrafink {n}?").item_id for n in range(3)
    ]
    changing.archive(session, principal=anna, item_id=asked[0])

    def ids(filters: Filters) -> list[UUID]:
        found, cursor = [], None
        while True:
            page = find(session, principal=anna, filters=filters, cursor=cursor, limit=1)
            found += [row.item.id for row in page.rows]
            if (cursor := page.cursor) is None:
                return found

    assert ids(Filters()) == [asked[2], asked[1], with_desk.item_id]
    assert ids(Filters(state="archived")) == [asked[0]]
    assert ids(Filters(companion=desk.id)) == [with_desk.item_id]
    assert ids(Filters(q="welcome")) == [with_desk.item_id]
    assert ids(Filters(q="zebraFINK 2")) == [asked[2]]
    assert ids(Filters(owner="others")) == []
    with pytest.raises(InvalidInput):
        ids(Filters(state="nonsense"))


def test_nothing_said_stands_in_the_log_and_what_is_deleted_is_gone(
    session: Session, anna: Principal, desk: Item
) -> None:
    talk = companions.begin_with(session, principal=anna, companion_id=desk.id)
    companions.answer(session, principal=anna, item_id=talk.item_id, revision=0, words="Zebrafink")
    changing.rename(session, principal=anna, item_id=talk.item_id, title="About a Zebrafink")
    log = session.execute(
        select(AuditEntry.action, AuditEntry.before, AuditEntry.after).where(
            AuditEntry.target == f"conversation:{talk.item_id}"
        )
    ).all()
    assert [row.action for row in log] == ["conversation.create", "conversation.rename"]
    assert "Zebrafink" not in str(log)
    changing.throw_away(session, principal=anna, item_id=talk.item_id)
    trash.restore_item(session, principal=anna, item_id=talk.item_id)
    assert ("person", "Zebrafink") in said(session, anna, talk.item_id)
    changing.throw_away(session, principal=anna, item_id=talk.item_id)
    trash.purge_item(session, principal=anna, item_id=talk.item_id)
    for table in (ConversationMessage, FlowRun):
        assert session.scalar(select(func.count()).select_from(table)) == 0
    assert session.scalar(select(func.count()).select_from(Event)) == 3


def test_whoever_goes_takes_the_conversations_along(
    session: Session, anna: Principal, boss: Principal
) -> None:
    assistant.begin_asking(session, principal=anna, question="Zebrafink?")
    with personal_export.export(session, principal=anna) as file, zipfile.ZipFile(file) as archive:
        rows = json.loads(archive.read("conversations.json"))
    assert next(row["text"] for row in rows) == "Zebrafink?"
    leaving.delete_account(session, principal=anna, password=PASSWORD, to=boss.person_id)
    assert session.scalar(select(func.count()).select_from(ConversationMessage)) == 0
    titles = session.scalars(select(Item.title).where(Item.kind == "conversation")).all()
    assert titles == ["Deleted conversation"]


def test_only_ones_own_answers_are_judged(session: Session, anna: Principal) -> None:
    talk = assistant.begin_asking(session, principal=anna, question="What?")
    question, answer = (
        one.message for one in open_one(session, principal=anna, item_id=talk.item_id).messages
    )
    judging.judge(session, principal=anna, item_id=talk.item_id, message_id=answer.id, feedback="not helpful")
    assert answer.feedback == "not helpful"
    with pytest.raises(NotFound):
        judging.judge(
            session, principal=anna, item_id=talk.item_id, message_id=question.id, feedback="helpful"
        )


def test_what_helped_of_a_companion_stands_in_the_ledger_and_changes_no_figure(
    session: Session, anna: Principal, boss: Principal, desk: Item
) -> None:
    talk = companions.begin_with(session, principal=anna, companion_id=desk.id)
    companions.answer(session, principal=anna, item_id=talk.item_id, revision=0, words="A parcel")
    last = open_one(session, principal=anna, item_id=talk.item_id).messages[-1].message.id
    before = session.execute(select(RunFact.last_at, RunFact.steps)).all()
    for feedback in ("helpful", "helpful", "not helpful"):
        judging.judge(session, principal=anna, item_id=talk.item_id, message_id=last, feedback=feedback)
    assert judging.judged(session, principal=boss, companion=desk) == {"helpful": 0, "not helpful": 1}
    judging.judge(session, principal=anna, item_id=talk.item_id, message_id=last, feedback="")
    assert judging.judged(session, principal=boss, companion=desk) == {"helpful": 0, "not helpful": 0}
    kept = session.scalars(select(Event).where(Event.kind == "judged")).all()
    assert [one.props["feedback"] for one in kept] == ["helpful", "not helpful", ""]
    assert session.execute(select(RunFact.last_at, RunFact.steps)).all() == before
