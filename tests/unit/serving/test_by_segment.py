"""Routes that are found by their first segment are the same as those that a router tries one after the other."""

import pytest
from fastapi import APIRouter, FastAPI, Request
from fastapi.testclient import TestClient

from serving.by_segment import serve_routes


def routers() -> list[APIRouter]:
    first, second = APIRouter(), APIRouter(prefix="/items")

    @first.get("/")
    def home() -> str:
        return "home"

    @second.get("/new")
    def form() -> str:
        return "form"

    @second.get("/{name}")
    def item(request: Request, name: str) -> str:
        return f"{name} by {request.scope['route'].path}"

    @second.post("/{name}")
    def change(name: str) -> str:
        return f"{name} changed"

    @second.get("")
    def items() -> str:
        return "items"

    @first.get("/items/shadowed")
    def shadowed() -> str:
        return "never"

    return [first, second]


@pytest.fixture
def both() -> list[TestClient]:
    """An application that finds by segment, and one that does not."""
    ours, plain = FastAPI(), FastAPI()
    serve_routes(ours, routers())
    for router in routers():
        plain.include_router(router)
    return [TestClient(app, follow_redirects=False) for app in (ours, plain)]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 200),
        ("GET", "/items", 200),
        ("GET", "/items/new", 200),
        ("GET", "/items/a%2Fb", 404),
        ("GET", "/items/one?q=/items/new", 200),
        ("POST", "/items/one", 200),
        ("PUT", "/items/one", 405),
        ("GET", "/items/", 307),
        ("GET", "/items/one/two", 404),
        ("GET", "/Items", 404),
        ("GET", "/none", 404),
        ("OPTIONS", "/items", 405),
    ],
)
def test_an_answer_is_the_router_s(both: list[TestClient], method: str, path: str, status: int) -> None:
    ours, plain = (client.request(method, path) for client in both)
    assert ours.status_code == plain.status_code == status
    assert ours.content == plain.content
    assert {**ours.headers} == {**plain.headers}


def test_the_route_that_comes_first_is_taken() -> None:
    app = FastAPI()
    serve_routes(app, routers())
    assert TestClient(app).get("/items/shadowed").json() == "never"


def test_the_request_knows_its_route(both: list[TestClient]) -> None:
    assert both[0].get("/items/one").json() == "one by /items/{name}"
