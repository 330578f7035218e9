"""Conversations with agents: each question a thread that knows the turns before, whose words come back by themselves."""

import pytest

from leitstand.agents import starting, threads
from leitstand.catalogue import grants, items, trash
from leitstand.conversations import changing, talking
from leitstand.conversations.export import export
from leitstand.conversations.reading import Filters, find
from leitstand.db.models import ModelCall, Thread, Workspace
from leitstand.errors import Conflict, Forbidden, NotFound
from leitstand.identity.access import Principal
from tests.integration.agents.at_work import AtWork
from tests.integration.conversations.at_talk import AtTalk, anna, bare, boss, talk, work
from tests.integration.conversations.test_conversations import fill
from tests.model_server import calls, models, says
from tests.people import acting, join
from tests.receiver import receiver

__all__ = ["anna", "bare", "boss", "models", "receiver", "talk", "work"]
SEND = ("send", {"text": "hello"})


def test_an_agent_answers_with_no_page_open_and_knows_what_was_said(talk: AtTalk) -> None:
    talk.work.models.answer(says("Three parcels."), says("The blue one."))
    made = talk.with_agent("How many parcels are there?")
    assert talk.said(made) == [
        ("person", "How many parcels are there?", "done"), ("agent", "", "writing"),
    ]  # fmt: skip
    talk.do_jobs()
    assert talk.said(made)[-1] == ("agent", "Three parcels.", "done")
    talking.go_on(
        talk.work.session, principal=talk.anna, item_id=made.item_id, question="Which is largest?", after=2
    )
    talk.do_jobs()
    assert talk.said(made)[2:] == [
        ("person", "Which is largest?", "done"), ("agent", "The blue one.", "done"),
    ]  # fmt: skip
    told = [(one["role"], one["content"]) for one in talk.work.models.told()[1:]]
    assert told == [
        ("user", "How many parcels are there?"), ("assistant", "Three parcels."), ("user", "Which is largest?"),
    ]  # fmt: skip
    session = talk.work.session
    assert threads.find(session, principal=talk.anna).rows[0].thread.id == talk.message(made, 3).thread_id
    for filters in (Filters(partner="agent"), Filters(q="blue one"), Filters(agent=made.agent_id)):
        (row,) = find(session, principal=talk.anna, filters=filters).rows
        assert row.agent and row.item.id == made.item_id
    assert row.agent in export(session, principal=talk.anna, item_id=made.item_id, form="md")


def test_it_waits_for_approval_is_stopped_and_asked_again(talk: AtTalk) -> None:
    talk.work.tool("send", needs_approval=True)
    talk.work.models.answer(calls(SEND, text="I send it."), says("It was sent."))
    made = talk.with_agent(tools=["send"])
    session = talk.work.session
    talk.do_jobs()
    live = talk.last(made)
    assert live.writing and live.text == "I send it." and live.thread is not None
    assert live.thread.row.thread.status == "waiting"
    with pytest.raises(Conflict, match="still being written"):
        talking.go_on(session, principal=talk.anna, item_id=made.item_id, question="And?")
    talking.stop(session, principal=talk.anna, item_id=made.item_id, message_id=live.message.id)
    session.commit()
    assert talk.said(made)[-1] == ("agent", "I send it.", "stopped")
    talking.regenerate(session, principal=talk.anna, item_id=made.item_id, message_id=live.message.id)
    talk.work.models.answer(calls(SEND), says("It was sent."))
    talk.do_jobs()
    again = talk.last(made)
    assert (again.place.number, again.place.count) == (2, 2) and again.thread is not None
    step = again.thread.steps[-1]
    starting.decide(session, principal=talk.anna, thread_id=step.thread_id, step_id=step.id, approve=True)
    talk.do_jobs()
    assert talk.said(made)[-1] == ("agent", "It was sent.", "done")


def test_what_failed_says_why_to_whoever_asked(bare: AtWork, anna: Principal) -> None:
    talk = AtTalk(bare, anna)
    made = talk.with_agent()
    talk.do_jobs()
    message = talk.last(made).message
    assert message.status == "failed" and "No model" in message.error


def test_a_reader_sees_no_answer_that_rests_on_a_space_they_may_not_open(
    talk: AtTalk, workspace: Workspace
) -> None:
    session, boss = talk.work.session, talk.work.boss
    space = fill(session, boss, "Salaries", "The yearly bonus is paid in November.\n")
    items.update_item(session, principal=boss, item_id=space.id, visibility="private")
    grants.share(session, principal=boss, item_id=space.id, person_id=talk.anna.person_id)
    look = ("search_spaces", {"question": "When is the yearly bonus paid?"})
    talk.work.models.answer(calls(look), says("In November."), says("As I said, in November."))
    made = talk.with_agent("When is the bonus paid?", spaces=[str(space.id)])
    talk.do_jobs()
    assert talk.said(made)[-1] == ("agent", "In November.", "done")
    talking.go_on(session, principal=talk.anna, item_id=made.item_id, question="When was it?")
    talk.do_jobs()
    other = acting(session, workspace, join(session, workspace, role="admin", name="Olaf"))
    session.commit()
    with pytest.raises(NotFound):
        talk.opened(made, other)
    grants.share(session, principal=talk.anna, item_id=made.item_id, person_id=other.person_id)
    session.commit()
    opened = talk.opened(made, other)
    # The second answer used no tool, but it knew the first.
    assert [one.withheld for one in opened.messages] == [False, True, False, True]
    assert "November" not in export(session, principal=other, item_id=made.item_id, form="json")
    for deed in (talking.choose, talking.stop, talking.regenerate):
        with pytest.raises(Forbidden):
            deed(session, principal=other, item_id=made.item_id, message_id=opened.messages[1].message.id)


def test_deleted_for_good_its_threads_go_and_what_they_cost_stays(talk: AtTalk) -> None:
    session = talk.work.session
    made = talk.with_agent("A secret.")
    talk.do_jobs()
    changing.throw_away(session, principal=talk.anna, item_id=made.item_id)
    trash.purge_item(session, principal=talk.anna, item_id=made.item_id)
    session.commit()
    assert session.query(Thread).count() == 0
    assert session.query(ModelCall).count() == 1
