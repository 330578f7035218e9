"""The pages of conversations and of the assistant."""

import html
import re
from collections.abc import Callable

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from leitstand.agents import running
from leitstand.catalogue import companions, contents
from leitstand.companions import versions
from leitstand.companions.flow import parse_flow
from leitstand.db.models import Thread
from leitstand.integrations import model_endpoints
from leitstand.integrations.model_endpoints import Draft
from tests.model_server import ModelServer, models, says
from tests.people import Visitor
from tests.unit.companions.test_steps import SHAPE
from web.routes.flows import example

__all__ = ["models"]


def test_a_conversation_is_begun_gone_on_with_and_found_again(visitor: Visitor, session: Session) -> None:
    made = companions.create(session, principal=visitor.principal, title="Front desk")
    flow = parse_flow(example("Front desk"))
    versions.save_version(session, principal=visitor.principal, companion_id=made.id, flow=flow)
    versions.publish(session, principal=visitor.principal, companion_id=made.id)
    session.commit()
    assert 'action="/conversations/with"' in visitor.get(f"/companions/{made.id}").text
    where = visitor.post("/conversations/with", companion=str(made.id)).headers["location"]
    page = visitor.get(where).text
    value = re.search(r'type="radio" name="text" value="([^"]+)"', page)
    answer = value[1] if value else "Something"
    assert visitor.post(f"{where}/messages", revision="0", text="").status_code == 422
    assert visitor.post(f"{where}/messages", revision="0", text=answer).status_code == 303
    assert visitor.get(where).text.count("<article") > page.count("<article")
    assert where in visitor.get("/").text
    assert visitor.post(f"{where}/rename", title=" ").status_code == 422
    assert visitor.post(f"{where}/rename", title="The blue parcel").status_code == 303
    assert "The blue parcel" in visitor.get("/search?q=blue").text
    assert "The blue parcel" in visitor.get("/conversations?q=blue&since=2020-01-01&partner=companion").text
    assert "Nothing found" in visitor.get("/conversations?q=green").text
    assert visitor.get("/conversations?since=nonsense").status_code == 422
    exported = visitor.get(f"{where}/export?format=md")
    assert exported.headers["content-disposition"].startswith("attachment")
    assert "The blue parcel" in visitor.get(f"/share/{where.rpartition('/')[2]}").text
    assert visitor.post(f"{where}/archive").status_code == 303
    assert "The blue parcel" not in visitor.get("/conversations").text
    assert visitor.post(f"{where}/delete").status_code == 303
    assert "/restore" in visitor.get("/conversations").text
    assert visitor.get(where).status_code == 404


def test_a_control_is_a_form_whose_words_stay_where_they_are_refused(
    visitor: Visitor, session: Session
) -> None:
    anna = visitor.principal
    control = contents.create(session, principal=anna, kind="control", title="Party", content=SHAPE)
    steps = [
        {"kind": "input", "name": "party", "text": "Who comes?", "control": str(control.id), "next": "bye"},
        {"kind": "end", "name": "bye", "text": "{{party.people}} are coming."},
    ]
    made = companions.create(session, principal=anna, title="Party")
    flow = parse_flow({"title": "Party", "steps": steps})
    versions.save_version(session, principal=anna, companion_id=made.id, flow=flow)
    versions.publish(session, principal=anna, companion_id=made.id)
    session.commit()
    where = visitor.post("/conversations/with", companion=str(made.id)).headers["location"]
    assert 'name="value.people"' in visitor.get(where).text
    refused = visitor.post(f"{where}/messages", **{"revision": "0", "value.people": "-3"})
    assert refused.status_code == 422 and 'value="-3"' in refused.text
    assert visitor.post(f"{where}/messages", **{"revision": "0", "value.people": "3"}).status_code == 303
    assert "3 are coming." in visitor.get(where).text


def test_the_assistant_says_how_it_answers_and_keeps_what_was_asked(
    visitor: Visitor, visitor_as: Callable[[str], Visitor]
) -> None:
    page = visitor.get("/assistant").text
    assert "No model writes them" in page
    assert "No model endpoint is connected" in page and "Files can come with a question once" in page
    assert visitor.post("/assistant", question=" ").status_code == 422
    where = visitor.post("/assistant", question="How long is the <b>warranty</b>?").headers["location"]
    assert "&lt;b&gt;warranty" in visitor.get(where).text
    assert visitor.post(f"{where}/messages", text="And then?").status_code == 303
    assert visitor.get(where).text.count("<article") == 4
    analyst = visitor_as("analyst")
    assert "not kept" in analyst.get("/assistant").text
    assert "Nothing in the documents" in analyst.get("/assistant?ask=Anything").text
    assert analyst.post("/assistant", question="Anything").status_code == 403
    assert analyst.get(where).status_code == 404


def test_an_agent_is_followed_edited_and_its_branches_gone_through(
    visitor: Visitor,
    session: Session,
    models: ModelServer,
    engine: Engine,
    visitor_as: Callable[[str], Visitor],
) -> None:
    anna = visitor.principal
    draft = Draft("Models", models.base_url, models.key, ("small",), True, True)
    model_endpoints.create(session, principal=anna, draft=draft)
    agent = contents.create(session, principal=anna, kind="agent", title="Parcel agent", content={})
    session.commit()
    assert 'formaction="/conversations/with-agent"' in visitor.get(f"/agents/{agent.id}").text
    refused = visitor.post("/conversations/with-agent", agent=str(agent.id), question=" ")
    assert refused.status_code == 422 and "Nothing is asked" in refused.text
    made = visitor.post("/conversations/with-agent", agent=str(agent.id), question="How many?")
    where = made.headers["location"].partition("#")[0]
    page = visitor.get(where).text
    assert "Waits for a worker" in page and f'href="{where}#message-' in page, (
        "without JavaScript it is a link"
    )
    address = html.unescape(re.search(r'hx-get="([^"]+)"', page)[1])  # type: ignore[index]
    follow = {"HX-Request": "true"}
    assert visitor.client.get(address, headers=follow).status_code == 204
    assert visitor.post(f"{where}/messages", text="And?").status_code == 409
    stopping = re.search(r'action="([^"]+/stop)"', page)[1]  # type: ignore[index]
    assert visitor.post(stopping).status_code == 303
    piece = visitor.client.get(address, headers=follow).text
    assert "Stopped before it was whole" in piece and "hx-get" not in piece
    models.answer(says("**Three** of them."))
    again = re.search(r'action="([^"]+/again)"', piece)[1]  # type: ignore[index]
    assert visitor.post(again).status_code == 303
    thread_id = session.scalars(select(Thread.id).order_by(Thread.id.desc())).first()
    assert thread_id is not None
    running.run(engine, thread_id=thread_id)
    page = visitor.get(where).text
    assert "<strong>Three</strong>" in page and "2 of 2" in page and "Parcel agent" in page
    previous = re.search(r'formaction="([^"]+/choose)">\s*Previous', page)[1]  # type: ignore[index]
    assert visitor.post(previous).status_code == 303
    assert "Stopped before it was whole" in visitor.get(where).text
    edit = re.search(r'action="([^"]+/edit)"', page)[1]  # type: ignore[index]
    assert visitor.post(edit, text="How many are blue?").status_code == 303
    assert where in visitor.get("/conversations?partner=agent&q=are+blue").text
    assert f'href="{where}"' in visitor.get(f"/threads/{thread_id}").text
    assert visitor_as("analyst").get(address).status_code == 404
    assert where in visitor.get("/").text
