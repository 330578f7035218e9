"""The pages of conversations and of the assistant."""

import re
from collections.abc import Callable

from sqlalchemy.orm import Session

from leitstand.catalogue import companions, contents
from leitstand.companions import versions
from leitstand.companions.flow import parse_flow
from tests.people import Visitor
from tests.unit.companions.test_steps import SHAPE
from web.routes.flows import example


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
    assert "No model endpoint is connected" in page
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
