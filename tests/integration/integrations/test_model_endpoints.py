"""Model endpoints: keys sealed and bound to their server, and tests that say plainly what is wrong."""

import json

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from leitstand.db.models import AuditEntry, ModelEndpoint, Workspace
from leitstand.errors import Conflict, InvalidInput, NotFound
from leitstand.identity.access import ROLES, Principal
from leitstand.integrations import model_endpoints
from leitstand.integrations.model_endpoints import Draft
from leitstand.settings import get_settings
from tests.receiver import Receiver

KEY = "sk-a-key-of-a-model"
MODELS = json.dumps({"data": [{"id": "small"}, {"id": "large"}, {"id": 7}, "x"]}).encode()


def made(session: Session, owner: Principal, receiver: Receiver, **more: object) -> ModelEndpoint:
    given: dict[str, object] = {"name": "Models", "base_url": f"{receiver.url}/v1/", "key": KEY}
    endpoint = model_endpoints.create(session, principal=owner, draft=Draft(**(given | more)))  # type: ignore[arg-type]
    session.commit()
    return endpoint


def test_a_test_says_what_is_wrong_in_words(session: Session, owner: Principal, receiver: Receiver) -> None:
    endpoint = made(session, owner, receiver)

    def tested() -> str:
        return model_endpoints.test(session, principal=owner, endpoint_id=endpoint.id)

    receiver.body = MODELS
    assert tested() == "" and endpoint.models == ["large", "small"] and endpoint.checked_at
    path, headers, _ = receiver.asked[0]
    assert (path, headers["authorization"]) == ("/v1/models", f"Bearer {KEY}")
    for status, body, said in (
        (401, b"{}", "refuses the key (401)"),
        (500, b"{}", "answers 500"),
        (200, b"<html>", "did not answer with JSON"),
        (200, b"{}", "no list of models"),
        (200, b'{"data": [{"id": "small"}]}', "does not offer large"),
    ):
        receiver.status, receiver.body = status, body
        assert said in tested()
        assert said in endpoint.check_problem
    receiver.status, receiver.headers = 302, {"location": "http://169.254.169.254/models"}
    assert tested() and len(receiver.asked) == 7


def test_a_private_or_silent_server_is_told(
    session: Session, owner: Principal, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint = made(session, owner, receiver)
    endpoint.base_url = "http://127.0.0.1:1/v1"
    assert "can't be reached" in model_endpoints.test(session, principal=owner, endpoint_id=endpoint.id)
    monkeypatch.setenv("LEITSTAND_OUTGOING_PRIVATE_ADDRESSES_ALLOWED", "")
    get_settings.cache_clear()
    assert model_endpoints.test(session, principal=owner, endpoint_id=endpoint.id)
    assert receiver.asked == []
    with pytest.raises(InvalidInput):
        made(session, owner, receiver, name="Private")


def test_a_key_stays_sealed_and_with_its_server(
    session: Session, owner: Principal, receiver: Receiver
) -> None:
    endpoint = made(session, owner, receiver, is_default=True)
    second = made(session, owner, receiver, name="Second", is_default=True)
    session.refresh(endpoint)
    assert (endpoint.is_default, second.is_default) == (False, True)
    with pytest.raises(Conflict):
        made(session, owner, receiver)
    session.rollback()
    moved = Draft("Models", "http://127.0.0.1:9/v1")
    with pytest.raises(InvalidInput, match="server before"):
        model_endpoints.update_endpoint(session, principal=owner, endpoint_id=endpoint.id, draft=moved)
    session.rollback()
    kept = endpoint.secret
    same = Draft("Models", f"{receiver.url}/v2", models=["small"])
    model_endpoints.update_endpoint(session, principal=owner, endpoint_id=endpoint.id, draft=same)
    assert endpoint.secret == kept and endpoint.base_url.endswith("/v2")
    rotated = Draft("Models", f"{receiver.url}/v2", key="sk-another")
    model_endpoints.update_endpoint(session, principal=owner, endpoint_id=endpoint.id, draft=rotated)
    session.commit()
    assert endpoint.secret != kept
    rows = str(session.scalars(text("SELECT t::text FROM model_endpoint t")).all())
    rows += str([(entry.before, entry.after) for entry in session.scalars(select(AuditEntry))])
    for key in (KEY, "sk-another"):
        assert key not in rows and key.encode().hex() not in rows and key not in repr(rotated)
    model_endpoints.remove(session, principal=owner, endpoint_id=endpoint.id)
    assert [one.id for one in model_endpoints.list_endpoints(session, principal=owner)] == [second.id]


def test_prices_are_kept_in_whole_millionths_and_audited(
    session: Session, owner: Principal, receiver: Receiver
) -> None:
    endpoint = made(session, owner, receiver, prompt_price="0.15", completion_price="0,000001")
    assert (endpoint.prompt_price, endpoint.completion_price) == (150_000, 1)
    dearer = Draft("Models", f"{receiver.url}/v1", prompt_price="2.5", completion_price="0,000001")
    model_endpoints.update_endpoint(session, principal=owner, endpoint_id=endpoint.id, draft=dearer)
    entry = session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc())).first()
    assert entry is not None and entry.before is not None and entry.after is not None
    assert (entry.before["prompt_price"], entry.after["prompt_price"]) == ("0.15", "2.5")
    assert "completion_price" not in entry.after


def test_another_workspace_has_its_own(session: Session, owner: Principal, receiver: Receiver) -> None:
    endpoint = made(session, owner, receiver, is_default=True)
    workspace = Workspace(slug="other", name="Other")
    session.add(workspace)
    session.commit()
    other = Principal(owner.person_id, workspace.id, "Otto", "otto@other.test", "owner", ROLES["owner"])
    made(session, other, receiver, is_default=True)
    session.refresh(endpoint)
    assert endpoint.is_default
    draft = Draft("Mine", "https://example.org")
    for refused in (
        lambda: model_endpoints.get(session, principal=other, endpoint_id=endpoint.id),
        lambda: model_endpoints.test(session, principal=other, endpoint_id=endpoint.id),
        lambda: model_endpoints.remove(session, principal=other, endpoint_id=endpoint.id),
        lambda: model_endpoints.update_endpoint(
            session, principal=other, endpoint_id=endpoint.id, draft=draft
        ),
    ):
        with pytest.raises(NotFound):
            refused()
