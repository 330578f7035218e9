"""Pages in the language of whoever reads them."""

from collections.abc import Callable

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy.orm import Session

from leitstand.errors import InvalidInput
from leitstand.identity import people
from tests.people import Visitor

GERMAN = {"Accept-Language": "de-DE,de;q=0.9,en;q=0.5", "Accept": "text/html"}
BACKUPS = "/operations/backups"


def test_a_page_speaks_what_the_browser_asks_for(visitor: Visitor) -> None:
    german = visitor.client.get(BACKUPS, headers=GERMAN)
    assert '<html lang="de"' in german.text
    assert "<h1>Sicherungen</h1>" in german.text
    assert german.headers["content-language"] == "de"
    assert "Accept-Language" in german.headers["vary"]
    english = visitor.client.get(BACKUPS, headers={"Accept-Language": "fr"})
    assert '<html lang="en"' in english.text
    assert "<h1>Backups</h1>" in english.text


def test_a_person_s_own_language_and_zone_come_first(session: Session, visitor: Visitor) -> None:
    people.update_profile(session, principal=visitor.principal, language="en", zone="Asia/Tokyo")
    session.commit()
    assert "<h1>Backups</h1>" in visitor.client.get(BACKUPS, headers=GERMAN).text
    assert "(Asia/Tokyo)" in visitor.get("/settings/audit").text
    people.update_profile(session, principal=visitor.principal, language="", zone="")
    session.commit()
    assert "<h1>Sicherungen</h1>" in visitor.client.get(BACKUPS, headers=GERMAN).text


def test_an_error_and_a_refusal_are_said_in_it(app: FastAPI, visitor_as: Callable[[str], Visitor]) -> None:
    refused = visitor_as("member").client.get("/settings/members", headers=GERMAN)
    assert "Diese Rolle (Mitglied) darf das nicht" in refused.text
    with TestClient(app) as client:
        page = client.get("/sign-in/nowhere", headers=GERMAN)
    assert page.status_code == 404
    assert "Hier ist nichts" in page.text
    assert "Unter dieser Adresse gibt es keine Seite." in page.text


def test_the_palette_finds_areas_by_their_names_in_both(visitor: Visitor) -> None:
    for asked in ("Papierkorb", "Trash"):
        found = visitor.client.get("/search", params={"q": asked}, headers=GERMAN).text
        assert 'href="/trash"' in found.partition('class="results"')[2]


@pytest.mark.parametrize("change", [{"language": "xx"}, {"zone": "Mars/Olympus"}, {"zone": "localtime"}])
def test_what_is_no_language_or_zone_is_refused(
    session: Session, visitor: Visitor, change: dict[str, str]
) -> None:
    with pytest.raises(InvalidInput):
        people.update_profile(session, principal=visitor.principal, **change)
