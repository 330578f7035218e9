"""What a path is not served for is 405, also where another path has a parameter in the place of its last word."""

import pytest

from api.app import PREFIX
from serving.own_methods import hidden
from tests.integration.api.conftest import Caller

NO_SPACE = "00000000-0000-7000-8000-000000000000"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/backups/prune", "POST"),
        ("OPTIONS", "/backups/prune", "POST"),
        ("DELETE", "/me/sessions/end-others", "POST"),
        ("POST", "/reports/subscribers", "GET"),
        ("PATCH", f"/spaces/{NO_SPACE}/documents/trash", "GET"),
        ("DELETE", f"/spaces/{NO_SPACE}/documents/bulk", "POST"),
    ],
)
def test_a_word_of_a_path_is_nobodys_id(call: Caller, method: str, path: str, allowed: str) -> None:
    answer = call(method, path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)
    assert answer.json()["instance"] == PREFIX + path


def test_it_does_what_it_is_for(call: Caller) -> None:
    assert call("GET", "/reports/subscriptions").status_code == 200
    assert call("POST", "/me/sessions/end-others").status_code == 200


def test_only_paths_that_another_one_fits_are_hidden() -> None:
    routes = [
        ("/a/{x}", {"GET"}),
        ("/a/b", {"POST"}),
        ("/a/b", {"PUT"}),
        ("/a/{x}/c", {"GET"}),
        ("/d", {"GET"}),
    ]
    assert hidden(routes) == {"/a/b": {"POST", "PUT"}}
