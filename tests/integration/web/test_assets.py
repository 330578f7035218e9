"""Static files: kept for ever under the address with their hash, whole, and from here alone."""

import re

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from serving.shell.assets import SOURCES, asset, static_url


@pytest.fixture
def client(app: FastAPI) -> TestClient:
    return TestClient(app)


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_a_file_is_kept_for_ever_under_its_hash(client: TestClient, name: str) -> None:
    found = client.get(static_url(name))
    assert "immutable" in found.headers["cache-control"]
    assert found.content == asset(name).content
    assert found.headers["content-type"] == SOURCES[name][0]
    plain = client.get(f"/static/{name}")
    assert plain.headers["cache-control"] == "no-cache"
    again = client.get(f"/static/{name}", headers={"If-None-Match": plain.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("name", ["..%2fapp.py", "css/base.css", "", "app.css/"])
def test_nothing_else_is_served(client: TestClient, name: str) -> None:
    assert client.get(f"/static/{name}", follow_redirects=False).status_code in {404, 307}


def test_styles_and_scripts_ask_no_other_host() -> None:
    for name in ("app.css", "app.js"):
        assert not re.search(rb"(?:https?:)?//[a-z0-9-]+\.[a-z]", asset(name).content.replace(b"// ", b""))


def test_every_icon_that_is_named_is_in_the_sprite() -> None:
    from pathlib import Path

    from leitstand.catalogue.areas import AREAS

    drawn = set(re.findall(rb'id="([a-z-]+)"', asset("icons.svg").content))
    named = {area.icon.encode() for area in AREAS}
    for folder in ("web/templates", "serving/shell/templates"):
        for template in Path(folder).rglob("*.html"):
            named |= set(re.findall(rb'icon\("([a-z-]+)"', template.read_bytes()))
    assert named <= drawn
