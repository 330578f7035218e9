"""Pages in the language of whoever reads them."""

from collections.abc import Callable

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy.orm import Session

from leitstand.db.models import Document, Drill
from leitstand.errors import InvalidInput
from leitstand.events import intake
from leitstand.identity import people
from leitstand.knowledge.media import why_not
from leitstand.knowledge.spaces import create_space
from leitstand.runbooks import records
from leitstand.words import msg, to_stored
from tests.people import Visitor

GERMAN = {"Accept-Language": "de-DE,de;q=0.9,en;q=0.5", "Accept": "text/html"}
BACKUPS = "/operations/backups"
CHECKS = [
    {"name": "clean-up", "verdict": "passed", "detail": "nothing is left"},
    {
        "name": "counts",
        "verdict": "failed",
        "detail": "3 recipients",
        "said": to_stored(msg("{count} recipients", count=3)),
    },
]


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


def test_what_was_kept_in_english_is_read_in_german(session: Session, visitor: Visitor) -> None:
    space = create_space(session, principal=visitor.principal, title="Manuals")
    document = Document(
        workspace_id=space.workspace_id, space_id=space.id, title="a.json", object_key="a", bytes=1, sha256="0",
        media_type="application/json", status="failed", reason=why_not("application/json"),
    )  # fmt: skip
    failed = Drill(kind="postgres-latest", status="failed", figures={"checks": CHECKS})
    session.add_all([document, failed])
    failed.error = records._error_of({"checks": CHECKS, "error": "counts: 3 recipients"})
    given = intake.read_ndjson(
        b'{"kind": "viewed", "companion": "x", "run_key": "1", "occurred_at": "2026"}\n{'
    )
    intake.take_in_for(session, workspace_id=space.workspace_id, events=given, source="api")
    session.commit()
    session.expire_all()
    assert document.reason.startswith("JSON files can't be read yet; PDF, Word")
    pages = {
        f"/spaces/{space.id}": ["JSON-Dateien lassen sich noch nicht lesen"],
        "/refusals": ["kein JSON: ", "der Arbeitsbereich hat keinen Companion"],
        "/refusals?reason=not+JSON": ["kein JSON: "],
        "/operations": ["Die neueste Sicherung von PostgreSQL", "Anzahlen: 3 Empfänger"],
        f"/operations/runbooks/runs/{failed.id}": [">Anzahlen</th>", "3 Empfänger"],
        "/settings/billing": ["Aktueller Tarif: Unbegrenzt", "Alles in dieser Installation"],
    }
    for address, texts in pages.items():
        page = visitor.client.get(address, headers=GERMAN).text
        assert [text for text in texts if text not in page] == []
