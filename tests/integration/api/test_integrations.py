"""Integrations through the API: secrets are in one answer and in no other."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from leitstand.db.models import IdempotencyKey, S3Import, S3ImportObject, WebhookDelivery
from tests.integration.api.conftest import Caller
from tests.receiver import Receiver, receiver

__all__ = ["receiver"]
HOOKS, MODELS = "/integrations/webhooks", "/integrations/model-endpoints"
IMPORTS = "/integrations/s3-imports"


def test_a_webhook_through_the_api(call: Caller, session: Session, receiver: Receiver) -> None:
    new = {"url": f"{receiver.url}/hook", "events": ["companion.*"]}
    key = {"X-CSRF-Token": call.visitor.csrf, "Idempotency-Key": "once"}
    made = call.visitor.client.post(f"/api/v1{HOOKS}", json=new, headers=key)
    assert (made.status_code, made.headers["cache-control"]) == (201, "no-store")
    secret, hook = made.json()["secret"], f"{HOOKS}/{made.json()['id']}"
    again = call.visitor.client.post(f"/api/v1{HOOKS}", json=new, headers=key)
    assert again.json()["id"] == made.json()["id"] and again.json()["secret"] is None
    assert secret not in str([row.body for row in session.scalars(select(IdempotencyKey))])
    assert call("POST", f"{hook}/test").status_code == 202
    assert call("POST", "/companions", {"title": "Told"}).status_code == 201
    page = call("GET", f"{hook}/deliveries?limit=1").json()
    assert [one["event"] for one in page["items"]] == ["companion.create"] and page["next"]
    rest = call("GET", f"{hook}/deliveries?limit=1&cursor={page['next']}").json()
    assert [one["event"] for one in rest["items"]] == ["webhook.test"] and rest["next"] is None
    delivery = f"{hook}/deliveries/{rest['items'][0]['id']}"
    assert call("GET", delivery).json()["status"] == "pending"
    assert call("POST", f"{delivery}/replay").status_code == 409
    session.execute(WebhookDelivery.__table__.update().values(status="given-up", next_at=None))
    session.commit()
    assert call("POST", f"{hook}/deliveries/replay").json() == {"replayed": 2}
    rotated = call("POST", f"{hook}/rotate").json()
    assert rotated["secret"] not in (secret, None) and rotated["earlier_until"]
    off = call("PUT", hook, new | {"active": False}).json()
    assert (off["active"], off["disabled_reason"], "secret" in off) == (False, "Turned off by hand.", False)
    said = call("GET", hook).text + call("GET", HOOKS).text + call("GET", "/integrations").text
    assert "whsec_" not in said and "secret" not in call("GET", HOOKS).json()[0]
    assert call("PUT", hook, new | {"url": "https://10.0.0.1/"}).status_code == 422
    assert call("DELETE", hook).status_code == 204 and call("GET", hook).status_code == 404


def test_a_model_endpoint_through_the_api(call: Caller, receiver: Receiver) -> None:
    receiver.body = b'{"data": [{"id": "tiny"}]}'
    new = {"name": "Own", "base_url": f"{receiver.url}/v1", "key": "sk-secret", "is_default": True}
    made = call("POST", MODELS, new)
    assert made.status_code == 201
    here = f"{MODELS}/{made.json()['id']}"
    tested = call("POST", f"{here}/test").json()
    assert (tested["models"], tested["check_problem"]) == (["tiny"], "") and tested["checked_at"]
    change = {
        "name": "Ours",
        "base_url": f"{receiver.url}/v1",
        "prompt_price": "0.15",
        "completion_price": "12",
        "embeds": "letters",
    }
    changed = call("PUT", here, change)
    assert changed.json()["name"] == "Ours"
    assert (changed.json()["prompt_price"], changed.json()["completion_price"]) == ("0.15", "12")
    assert (made.json()["embeds"], changed.json()["embeds"]) == ("", "letters")
    assert (made.json()["prompt_price"], made.json()["completion_price"]) == ("0", "0")
    assert call("PUT", here, change | {"prompt_price": "0.0000001"}).status_code == 422
    states = {one["slug"]: one["state"] for one in call("GET", "/integrations").json()}
    assert states == {
        "sign-on": "off",
        "mail": "off",
        "models": "untested",
        "webhooks": "off",
        "s3-imports": "off",
    }
    for answer in (made, changed, call("GET", MODELS), call("GET", here)):
        assert "sk-secret" not in answer.text
    assert call("DELETE", here).status_code == 204


def test_an_import_through_the_api(call: Caller, session: Session, receiver: Receiver) -> None:
    receiver.status, receiver.body = 403, b"<Error><Code>AccessDenied</Code></Error>"
    space = call("POST", "/spaces", {"title": "Handbooks"}).json()["id"]
    new = {
        "name": "Own", "endpoint": receiver.url, "bucket": "bucket", "access_key": "a", "secret_key": "never-shown",
        "space_id": space,
    }  # fmt: skip
    made = call("POST", IMPORTS, new)
    assert made.status_code == 201 and made.json()["run_state"] == "idle"
    here = f"{IMPORTS}/{made.json()['id']}"
    tested = call("POST", f"{here}/test").json()
    assert "refuses the key (AccessDenied)" in tested["check_problem"] and tested["checked_at"]
    assert call("PUT", here, new | {"every": "hour", "secret_key": ""}).json()["every"] == "hour"
    assert call("POST", f"{here}/run").json()["run_state"] == "queued"
    assert call("POST", f"{here}/run").status_code == 409
    session.add_all(
        S3ImportObject(
            workspace_id=session.scalars(select(S3Import.workspace_id)).one(),
            import_id=made.json()["id"],
            key=key,
            etag="e",
            bytes=1,
            status="failed",
            reason="No room.",
        )
        for key in ("a", "b")
    )
    session.commit()
    page = call("GET", f"{here}/objects?status=failed&limit=1").json()
    assert ([one["key"] for one in page["items"]], page["next"]) == (["a"], "a")
    assert call("GET", f"{here}/objects?after=a").json()["next"] is None
    assert call("POST", f"{here}/objects/{page['items'][0]['id']}/retry").json() == {"retried": 1}
    assert call("POST", f"{here}/objects/retry").json() == {"retried": 1}
    assert call("GET", here).json()["objects"] == {"waiting": 2, "taken": 0, "duplicate": 0, "failed": 0}
    for answer in (made, call("GET", IMPORTS), call("GET", here)):
        assert "never-shown" not in answer.text
    assert call("DELETE", here).status_code == 204 and call("GET", here).status_code == 404
