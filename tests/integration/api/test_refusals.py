"""Refused events through the API: listed, and sent once more."""

from collections.abc import Callable
from typing import Any

from sqlalchemy.orm import Session

from leitstand.catalogue.companions import ensure_companion
from leitstand.db.models import Workspace
from tests.integration.api.conftest import Caller, Program


def event(run: str, **more: Any) -> dict[str, Any]:
    given = {"kind": "viewed", "companion": "shop", "run_key": run, "occurred_at": "2026-03-01T00:00:00Z"}
    return given | more


def test_refusals_are_listed_and_replayed(
    program: Callable[..., Program], session: Session, workspace: Workspace
) -> None:
    robot = program("events:write")
    robot("POST", "/events", [event("a"), event("b"), event("c", kind="looked")])
    page = robot("GET", "/events/refusals?limit=2").json()
    assert (len(page["items"]), page["total"]) == (2, 3)
    assert page["items"][0]["can_be_replayed"] and "no companion" in page["items"][0]["reason"]
    following = robot("GET", f"/events/refusals?limit=2&cursor={page['next'].replace('+', '%2B')}").json()
    assert (len(following["items"]), following["next"]) == (1, None)
    ensure_companion(session, workspace_id=workspace.id, key="shop")
    session.commit()
    one = robot("POST", "/events/refusals/replay", {"ids": [page["items"][0]["id"]]}).json()
    assert (one["accepted"], one["items"][0]["outcome"]) == (1, "accepted")
    rest = robot("POST", "/events/refusals/replay", {"reason": "no companion"}, Idempotency_Key="k")
    assert (rest.json()["accepted"], rest.json()["refused"], rest.json()["next"]) == (1, 0, None)
    assert robot("GET", "/events/refusals?outcome=accepted").json()["total"] == 2
    assert robot("POST", "/events/refusals/replay", {"ids": [10**9]}).status_code == 404
    assert robot("GET", "/events/refusals?cursor=nonsense").status_code == 422


def test_only_who_may_write_events(call_as: Callable[[str], Caller]) -> None:
    analyst = call_as("analyst")
    assert analyst("GET", "/events/refusals").status_code == 403
    assert analyst("POST", "/events/refusals/replay", {}).status_code == 403
