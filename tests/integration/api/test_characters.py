"""Characters that no text can keep, deep in a document, and what a path is served for."""

import pytest
from fastapi import FastAPI
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from leitstand.db.models import Item
from tests.integration.api.conftest import Caller


@pytest.mark.parametrize("written", [r"\u0000", r"\ud800"])
def test_they_are_refused_and_nothing_is_kept(call: Caller, session: Session, written: str) -> None:
    body = '{"title": "Colour", "content": {"direction": "input", "schema": {"title": "HERE"}}}'
    body = body.replace("HERE", written)
    answer = call.visitor.client.post(
        "/api/v1/controls",
        content=body.encode(),
        headers={"X-CSRF-Token": call.visitor.csrf, "Content-Type": "application/json"},
    )
    assert answer.status_code == 422, answer.text
    assert session.scalar(select(func.count()).select_from(Item)) == 0


def test_all_methods_of_a_path_are_told(app: FastAPI, call: Caller) -> None:
    refused = call("TRACE", "/apps")
    assert (refused.status_code, refused.headers["Allow"]) == (405, "GET, POST")


def test_a_number_is_no_day(call: Caller) -> None:
    assert call("GET", "/audit?start=0").status_code == 422
    assert call("GET", "/audit?start=2026-03-01").status_code == 200


def test_a_number_is_no_instant(call: Caller) -> None:
    note = {"kind": "note", "text": "x"}
    for at in (1_700_000_000, "1700000000", "2026-03-01T10:00:00"):
        assert call("POST", "/insights/annotations", note | {"at": at}).status_code == 422
    assert call("POST", "/insights/annotations", note | {"at": "2026-03-01T10:00:00Z"}).status_code == 201
    comment = {"id": "first", "text": "x", "at": 0}
    assert call("POST", "/boards", {"title": "B", "content": {"comments": [comment]}}).status_code == 422


def test_an_id_that_no_column_holds_is_refused(call: Caller) -> None:
    assert call("POST", "/events/refusals/replay", {"ids": [2**63]}).status_code == 422
