"""Who is signed in, what is described, what is refused."""

import re
from collections.abc import Callable

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient

from api import app as application
from leitstand.identity.access import ROLES
from tests.integration.api.conftest import Caller

# Not for people and programs of ours: what comes there proves itself by a signature.
SIGNED = {"/billing/stripe"}


def test_me_tells_who_and_where(call: Caller) -> None:
    me = call("GET", "/me").json()
    assert (me["role"], me["workspace"]["name"], me["csrf_token"]) == ("owner", "Demo", call.visitor.csrf)
    assert set(me["permissions"]) == ROLES["owner"]
    assert call("PATCH", "/me", {"theme": "dark"}).json()["theme"] == "dark"
    assert call("GET", "/me").json()["theme"] == "dark"
    assert call("PATCH", "/me", {"theme": "pink"}).status_code == 422
    changed = call("PATCH", "/me", {"language": "de", "zone": "Asia/Tokyo"}).json()
    now = call("GET", "/me").json()
    for answer in (changed, now):
        assert (answer["language"], answer["zone"], answer["theme"]) == ("de", "Asia/Tokyo", "dark")
    assert call("PATCH", "/me", {"zone": "Mars/Olympus"}).status_code == 422
    assert call("PATCH", "/me", {"role": "owner"}).status_code == 422


def test_the_navigation_is_that_of_the_role(call: Caller, call_as: Callable[[str], Caller]) -> None:

    def slugs(caller: Caller) -> set[str]:
        return {area["slug"] for group in caller("GET", "/areas").json() for area in group["areas"]}

    assert "operations" in slugs(call)
    assert "operations" not in slugs(call_as("member"))


def test_a_stranger_gets_a_problem_document_everywhere(app: FastAPI) -> None:
    client = TestClient(app)
    for module in application.MODULES:
        for route in module.router.routes:
            assert isinstance(route, APIRoute)
            if route.path in SIGNED:
                continue
            path = application.PREFIX + re.sub(
                r"\{\w+_id\}", "01a20a8c-1acd-7415-a60f-cd2d0c50d479", route.path
            )
            for method in route.methods:
                refused = client.request(method, path, json={}, headers={"Accept": "text/html"})
                assert refused.status_code == 401, path
                assert refused.headers["content-type"] == "application/problem+json"
                # The answer to HEAD is that to GET without its body.
                if method != "HEAD":
                    assert refused.json()["type"].endswith("#not-signed-in")


def test_everything_is_described(call: Caller) -> None:
    document = call("GET", "/openapi.json").json()
    paths = {
        application.PREFIX + route.path for module in application.MODULES for route in module.router.routes
    } - {application.PREFIX + path for path in SIGNED}
    assert set(document["paths"]) == paths
    for methods in document["paths"].values():
        assert all(operation["description"] for operation in methods.values())


@pytest.mark.parametrize(
    ("role", "path", "status"),
    [
        ("member", "/insights/report", 403),
        ("member", "/health", 403),
        ("member", "/operations", 403),
        ("member", "/backups", 403),
        ("member", "/drills", 403),
        ("member", "/audit", 403),
        ("analyst", "/trash", 403),
        ("analyst", "/insights/report", 200),
        ("operator", "/operations", 200),
        ("operator", "/audit", 403),
    ],
)
def test_a_role_opens_what_it_may(
    call_as: Callable[[str], Caller], role: str, path: str, status: int
) -> None:
    answer = call_as(role)("GET", path)
    assert answer.status_code == status
    if status == 403:
        assert role in answer.json()["detail"]


def test_what_is_not_there_is_a_problem_document(call: Caller) -> None:
    missing = call("GET", "/nowhere")
    assert missing.status_code == 404
    assert missing.headers["content-type"] == "application/problem+json"
