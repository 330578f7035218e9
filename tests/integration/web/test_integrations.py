"""Integrations as pages: each state, webhooks with their deliveries, model endpoints, the mail's test."""

import re
from collections.abc import Callable

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from leitstand.db.models import AuditEntry, ModelEndpoint, Webhook, WebhookDelivery
from leitstand.integrations import delivering, mail
from tests.people import HTML, Visitor
from tests.receiver import Receiver, receiver

__all__ = ["receiver"]
PAGE = "/settings/integrations"
HOOKS, MODELS = f"{PAGE}/webhooks", f"{PAGE}/models"
SECRET = re.compile(r'id="made-secret"[^>]* value="(whsec_[^"]+)"')


def test_a_webhook_is_made_tried_and_looked_into(
    visitor: Visitor, session: Session, receiver: Receiver
) -> None:
    assert "Not set up" in visitor.get(PAGE).text
    assert "No webhook yet" in visitor.get(HOOKS).text
    given = {
        "csrf": visitor.csrf,
        "url": f"{receiver.url}/<b>",
        "events": ["companion.*"],
        "others": "report.start",
    }
    refused = visitor.client.post(f"{HOOKS}/new", data=given | {"events": [], "others": ""}, headers=HTML)
    assert refused.status_code == 422 and "No event is chosen" in refused.text
    given["url"] = f"{receiver.url}/hook"
    made = visitor.client.post(f"{HOOKS}/new", data=given | {"active": "true"}, headers=HTML)
    found = SECRET.search(made.text)
    assert made.status_code == 200 and made.headers["cache-control"] == "no-store" and found
    webhook = session.scalars(select(Webhook)).one()
    here = f"{HOOKS}/{webhook.id}"
    assert sorted(webhook.events) == ["companion.*", "report.start"]
    assert found[1] not in visitor.get(here).text + visitor.get(f"{here}/edit").text
    assert "Nothing was sent yet" in visitor.get(here).text
    assert visitor.post(f"{here}/test").status_code == 303
    delivery = session.scalars(select(WebhookDelivery)).one()
    receiver.status, receiver.body = 500, b"<script>no</script>"
    session.commit()
    delivering.deliver(session.get_bind().engine, delivery_id=delivery.id, attempt=1, replay=0)
    page = visitor.get(f"{here}?status=failed").text
    assert "webhook.test" in page and "The receiver answers 500." in page
    assert "Nothing found" in visitor.get(f"{here}?status=delivered").text
    assert visitor.get(f"{here}?status=nonsense").status_code == 422
    one = visitor.get(f"{here}/deliveries/{delivery.id}").text
    assert "&lt;script&gt;no" in one and delivery.event_id in one
    assert visitor.post(f"{here}/deliveries/{delivery.id}/replay").status_code == 303
    session.expire_all()
    assert (
        session.get_one(WebhookDelivery, delivery.id).replays,
        "On its way" in visitor.get(here).text,
    ) == (
        1,
        True,
    )
    assert visitor.post(f"{here}/deliveries/replay").status_code == 303
    rotated = SECRET.search(visitor.post(f"{here}/rotate").text)
    assert rotated and rotated[1] != found[1]
    assert visitor.post(f"{here}/edit", url=webhook.url, events="*").status_code == 303
    assert "Turned off by hand." in visitor.get(here).text
    assert visitor.post(f"{here}/test").status_code == 409
    assert "Does not work" in visitor.get(PAGE).text
    assert visitor.post(f"{here}/remove").status_code == 303
    assert "No webhook yet" in visitor.get(HOOKS).text and visitor.get(here).status_code == 404


def test_a_model_endpoint_is_added_tested_and_removed(
    visitor: Visitor, session: Session, receiver: Receiver
) -> None:
    assert "No model endpoint yet" in visitor.get(MODELS).text
    given = {"name": "Own <b>", "base_url": f"{receiver.url}/v1", "key": "sk-never-shown", "active": "true"}
    refused = visitor.post(f"{MODELS}/new", **(given | {"base_url": "https://169.254.169.254/"}))
    assert refused.status_code == 422 and "private network" in refused.text
    assert "sk-never-shown" not in refused.text and 'value="Own &lt;b&gt;"' in refused.text
    assert visitor.post(f"{MODELS}/new", **given).status_code == 303
    assert visitor.post(f"{MODELS}/new", **given).status_code == 409
    endpoint = session.scalars(select(ModelEndpoint)).one()
    here = f"{MODELS}/{endpoint.id}"
    receiver.status = 401
    visitor.post(f"{here}/test")
    assert "refuses the key (401)" in visitor.get(MODELS).text
    assert "Own &lt;b&gt;: The endpoint refuses the key" in visitor.get(PAGE).text
    receiver.status, receiver.body = 200, b'{"data": [{"id": "tiny"}]}'
    visitor.post(f"{here}/test")
    assert "tiny" in visitor.get(MODELS).text and "sk-never" not in visitor.get(here).text
    renamed = {
        "name": "Renamed",
        "base_url": endpoint.base_url,
        "models": "tiny",
        "prompt_price": "0,15",
        "embeds": "letters",
    }
    refused = visitor.post(here, **renamed, completion_price="-1")
    assert refused.status_code == 422 and "A price is a number" in refused.text
    assert visitor.post(here, **renamed, completion_price="").status_code == 303
    assert "Renamed" in visitor.get(MODELS).text
    form = visitor.get(here).text
    assert 'name="embeds" value="letters"' in form
    assert 'name="prompt_price" value="0.15"' in form and 'name="completion_price" value="0"' in form
    assert "questions, in EUR" in form
    visitor.post(f"{here}/remove")
    assert "No model endpoint yet" in visitor.get(MODELS).text


def test_mail_is_tried_with_a_message_to_oneself(
    visitor: Visitor, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "no mail server is set" in visitor.get(PAGE).text
    assert visitor.post(f"{PAGE}/mail/test").status_code == 422
    sent = []
    monkeypatch.setattr(mail, "mail_off", lambda _: "")
    monkeypatch.setattr("leitstand.integrations.overview.mail_off", lambda _: "")
    monkeypatch.setattr(mail, "build", lambda *_, email, **__: email)
    monkeypatch.setattr(mail, "deliver", lambda _, message: sent.append(message))
    assert "Send a test message to me" in visitor.get(PAGE).text
    assert visitor.post(f"{PAGE}/mail/test").status_code == 303
    assert sent == [visitor.principal.email]
    assert session.scalar(select(AuditEntry.after).where(AuditEntry.action == "mail.test")) == {"problem": ""}
    assert "Last check" in visitor.get(PAGE).text


def test_who_does_not_manage_the_workspace_opens_none(visitor_as: Callable[[str], Visitor]) -> None:
    creator = visitor_as("creator")
    for path in (PAGE, HOOKS, f"{HOOKS}/new", MODELS, f"{MODELS}/new"):
        assert creator.get(path).status_code == 403, path
    assert creator.post(f"{HOOKS}/new", url="https://example.org", events="*").status_code == 403


def test_a_form_of_another_site_does_nothing(visitor: Visitor, session: Session) -> None:
    for path in (f"{HOOKS}/new", f"{MODELS}/new", f"{PAGE}/mail/test"):
        data = {
            "csrf": "x",
            "url": "https://example.org",
            "events": "*",
            "name": "x",
            "base_url": "https://x.org",
        }
        assert visitor.client.post(path, data=data, headers=HTML).status_code == 403
    assert session.scalars(select(Webhook)).all() == []
