"""Companions in the browser: made, found, edited, published, deleted and taken back; with and without htmx."""

import json
import re
from collections.abc import Callable
from uuid import UUID

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from leitstand.catalogue import companions
from leitstand.db.models import Item
from leitstand.identity.access import system_principal
from tests.people import Visitor
from web.pages import NOTICE_COOKIE
from web.routes.flows import example


def make(visitor: Visitor, title: str = "Gift finder", **fields: str) -> str:
    made = visitor.post("/companions", title=title, **fields)
    assert made.status_code == 303
    return made.headers["location"]


def with_flow(visitor: Visitor, address: str) -> None:
    assert visitor.post(f"{address}/flow", flow=json.dumps(example("Gift finder"))).status_code == 303


def undo_of(page: str) -> str:
    found = re.search(r'action="(/trash/[^"]+/restore)"', page)
    assert found
    return found[1]


def test_a_companion_is_made_and_shown(visitor: Visitor, session: Session) -> None:
    address = make(visitor, "Gift finder", description="Two lines\nof text", tags="Books, gifts ,, books")
    page = visitor.get(address)
    assert page.status_code == 200
    assert "Created." in page.text
    assert "Created." not in visitor.get(address).text
    item = session.scalars(select(Item)).one()
    assert (item.tags, item.status, item.owner_id) == (
        ["books", "gifts"],
        "draft",
        visitor.principal.person_id,
    )


def test_what_can_not_be_taken_comes_back_with_what_was_typed(visitor: Visitor) -> None:
    refused = visitor.post("/companions", title="  ", description="Typed with care")
    assert refused.status_code == 422
    assert "The title is empty." in refused.text
    assert "Typed with care" in refused.text


def test_markup_in_a_title_stays_text(visitor: Visitor) -> None:
    address = make(
        visitor, "<script>alert(1)</script>\"'&", description="<img src=x onerror=alert(1)>", tags="<b>"
    )
    for path in (address, "/companions", "/", "/search?q=script", f"{address}/edit", f"{address}/flow"):
        page = visitor.get(path).text
        assert "<script>alert" not in page
        assert "<img src=x" not in page
        assert "<b>" not in page


def test_an_edit_keeps_what_somebody_else_changed_meanwhile(visitor: Visitor) -> None:
    address = make(visitor)
    form = visitor.get(f"{address}/edit").text
    seen = re.search(r'name="seen" value="([^"]+)"', form)
    assert seen
    assert visitor.post(f"{address}/edit", title="Second", seen=seen[1]).status_code == 303
    conflict = visitor.post(f"{address}/edit", title="Third", seen=seen[1])
    assert conflict.status_code == 409
    assert "Somebody changed this meanwhile." in conflict.text
    assert "Second" in visitor.get(address).text


def test_a_flow_is_saved_published_and_rolled_back(visitor: Visitor) -> None:
    address = make(visitor)
    assert "Two short questions" in visitor.get(f"{address}/flow").text
    with_flow(visitor, address)
    second = example("Gift finder")
    second["steps"][0]["text"] = "Another welcome."
    visitor.post(f"{address}/flow", flow=json.dumps(second))
    assert visitor.post(f"{address}/publish").status_code == 303
    page = visitor.get(address).text
    link = re.search(r"http://127\.0\.0\.1:\d+/c/(gift-finder-[0-9a-f]{6})", page)
    assert link
    assert visitor.post(f"{address}/roll-back").status_code == 303
    assert "Roll back" not in visitor.get(address).text
    assert "Another welcome." in visitor.get(f"{address}/flow?version=2").text
    assert visitor.post(f"{address}/withdraw").status_code == 303
    assert link[0] not in visitor.get(address).text


@pytest.mark.parametrize(
    "flow",
    [
        "",
        "not json",
        "[]",
        '{"title": "x", "steps": []}',
        '{"title":"x","steps":[{"kind":"question","name":"a","text":"?","next":"nowhere"}]}',
    ],
)
def test_a_flow_that_can_not_be_run_comes_back_with_its_fault(visitor: Visitor, flow: str) -> None:
    address = make(visitor)
    refused = visitor.post(f"{address}/flow", flow=flow)
    assert refused.status_code == 422
    assert 'role="alert"' in refused.text
    assert "No flow yet" in visitor.get(address).text


def test_what_is_deleted_can_be_taken_back_from_the_toast(visitor: Visitor) -> None:
    address = make(visitor)
    assert visitor.post(f"{address}/trash").headers["location"] == "/companions"
    page = visitor.get("/companions").text
    assert "Moved to the trash." in page
    assert visitor.get(address).status_code == 404
    assert visitor.post(undo_of(page)).headers["location"] == address
    assert visitor.get(address).status_code == 200


def test_a_forged_notice_says_nothing(visitor: Visitor) -> None:
    for value in ("nonsense", "trashed.<script>", "trashed.//evil.test", "x" * 500):
        visitor.client.cookies.set(NOTICE_COOKIE, value)
        page = visitor.get("/companions").text
        assert 'class="toast"' not in page or "evil" not in page
        assert "<script>" not in page


def test_the_trash_empties(visitor: Visitor) -> None:
    address = make(visitor)
    visitor.post(f"{address}/trash")
    assert "Gift finder" in visitor.get("/trash").text
    assert visitor.post(f"/trash/{address.rpartition('/')[2]}/purge").status_code == 303
    assert "The trash is empty" in visitor.get("/trash").text


def test_the_list_pages_with_links_and_with_htmx(visitor: Visitor, session: Session) -> None:
    principal = system_principal(visitor.principal.workspace_id)
    for number in range(120):
        companions.create(session, principal=principal, title=f"Companion {number:03}")
    session.commit()
    seen: list[str] = []
    path: str | None = "/companions?q=companion"
    while path:
        page = visitor.get(path).text
        seen += re.findall(r">(Companion \d{3})<", page)
        following = re.search(r'href="(/companions\?[^"]*cursor=[^"]+)"', page)
        path = following[1].replace("&amp;", "&") if following else None
        if path:
            rows = visitor.piece(path).text
            assert rows.lstrip().startswith("<tr>")
            assert "<html" not in rows
    assert len(seen) == len(set(seen)) == 120


def test_a_search_is_in_the_address_and_in_the_form(visitor: Visitor) -> None:
    make(visitor, "Gift finder")
    make(visitor, "Returns")
    page = visitor.get("/companions?q=gift&status=draft").text
    assert 'value="gift"' in page
    assert "Returns" not in page
    piece = visitor.piece("/companions?q=nothing").text
    assert "Nothing found" in piece
    assert "<html" not in piece
    restored = visitor.client.get(
        "/companions?q=gift", headers={"HX-Request": "true", "HX-History-Restore-Request": "true"}
    )
    assert "<html" in restored.text
    assert visitor.get("/companions?cursor=broken").status_code == 422


def test_a_star_toggles_with_and_without_htmx(visitor: Visitor) -> None:
    item_id = make(visitor).rpartition("/")[2]
    star = visitor.client.post(
        f"/favorites/{item_id}/add", headers={"HX-Request": "true", "X-CSRF-Token": visitor.csrf}
    )
    assert 'aria-pressed="true"' in star.text
    assert f"/favorites/{item_id}/remove" in star.text
    assert "Gift finder" in visitor.get("/favorites").text
    back = visitor.post(f"/favorites/{item_id}/remove", back="/companions")
    assert back.headers["location"] == "/companions"
    page = visitor.get("/companions").text
    assert "Removed from your favorites." in page
    assert visitor.post(f"/favorites/{item_id}/add", back="//evil.test").headers["location"] == "/"


def test_favorites_are_moved(visitor: Visitor) -> None:
    ids = [make(visitor, title).rpartition("/")[2] for title in ("First", "Second")]
    for item_id in ids:
        visitor.post(f"/favorites/{item_id}/add")
    assert visitor.post(f"/favorites/{ids[1]}/move", by="-1").status_code == 303
    page = visitor.get("/favorites").text
    assert page.index("Second") < page.index("First")
    assert visitor.post(f"/favorites/{ids[1]}/move", by="100000").status_code == 422


def test_the_home_page_shows_what_was_used(visitor: Visitor) -> None:
    address = make(visitor, "Gift finder")
    visitor.get(address)
    page = visitor.get("/").text
    assert page.count("Gift finder") == 1
    assert "New companion" in page


def test_search_finds_areas_actions_and_items(visitor: Visitor) -> None:
    make(visitor, "Trash talk")
    piece = visitor.piece("/search?q=trash").text
    assert piece.index("Trash talk") < piece.index('href="/trash"')
    assert 'role="option"' in piece
    assert "New companion" in visitor.get("/search?q=new").text
    assert "Nothing matches" in visitor.piece("/search?q=xyzzy").text


def test_a_reader_is_offered_nothing_that_is_refused(
    visitor: Visitor, visitor_as: Callable[[str], Visitor]
) -> None:
    address = make(visitor)
    with_flow(visitor, address)
    analyst = visitor_as("analyst")
    for path in ("/companions", address, "/"):
        page = analyst.get(path).text
        assert "New companion" not in page
        assert f'action="{address}/' not in page
    for action in ("publish", "withdraw", "archive", "trash", "roll-back", "edit", "flow"):
        assert analyst.post(f"{address}/{action}", title="x", flow="{}").status_code in {403, 422}
    assert analyst.get("/companions/new").status_code == 403
    assert visitor_as("member").get("/").text.count("Services") == 0


@pytest.mark.parametrize(
    "path",
    [
        "/companions/nonsense",
        f"/companions/{UUID(int=0)}",
        "/nowhere",
        "/companions/../etc/passwd",
        "/static/../app.py",
    ],
)
def test_what_is_not_there_is_a_page_that_says_so(visitor: Visitor, path: str) -> None:
    missing = visitor.get(path)
    assert missing.status_code == 404
    assert 'id="navigation"' in missing.text
    assert missing.headers["x-request-id"] in missing.text


def test_a_program_gets_a_problem_document(visitor: Visitor) -> None:
    missing = visitor.client.get("/companions/nonsense", headers={"Accept": "application/json"})
    assert missing.headers["content-type"] == "application/problem+json"
