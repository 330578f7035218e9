"""The pages of items of every kind, without JavaScript: made, changed, compared, chosen together, sent out and in."""

import json
import re
from collections.abc import Callable
from uuid import UUID

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from leitstand.catalogue import contents
from leitstand.catalogue.kinds import KINDS
from leitstand.db.models import Item
from leitstand.knowledge.ingest import ingest
from leitstand.settings import Settings
from leitstand.storage.objects import ObjectStorage
from tests.people import HTML, Visitor

ROUTES = {name: kind.route for name, kind in KINDS.items()}
MORE = {
    "agent": {"instructions": "Be brief.", "tools": ["search", "mail"], "questions": "What is new?"},
    "app": {"output": "list", "input_label": "Topic", "input_name": "", "input_field": "choice", "input_options": "a\nb",
            "input_control_id": "", "input_required": "yes"},
    "control": {"direction": "input", "schema": '{"enum": ["red", "green"]}', "default": '"red"', "label": "Colour"},
    "space": {"sources": "The handbook"},
}  # fmt: skip


def make(visitor: Visitor, kind: str, title: str, **fields: str) -> str:
    made = visitor.post(ROUTES[kind], title=title, **(MORE.get(kind, {}) | fields))
    assert made.status_code == 303, made.text
    return made.headers["location"]


def test_every_kind_has_its_pages(visitor: Visitor, visitor_as: Callable[[str], Visitor]) -> None:
    analyst = visitor_as("analyst")
    for kind, route in ROUTES.items():
        assert KINDS[kind].none in visitor.get(route).text
        assert visitor.get(f"{route}/new").status_code == 200
        address = make(visitor, kind, f"My <{kind}>", description="Two words", tags="Alpha, beta")
        page = visitor.get(address)
        assert page.status_code == 200, page.text
        assert "Created." in page.text
        assert f"My &lt;{kind}&gt;" in page.text
        assert f'href="/share/{address.rpartition("/")[2]}"' in page.text
        form = visitor.get(f"{address}/edit")
        assert 'value="alpha, beta"' in form.text
        seen = re.search(r'name="seen" value="([^"]+)"', form.text)
        assert seen
        fields = MORE.get(kind, {}) | {"title": f"Other {kind}", "tags": "", "seen": seen[1]}
        assert visitor.post(f"{address}/edit", **fields).status_code == 303
        assert visitor.post(f"{address}/edit", **fields).status_code == 409
        history = visitor.get(f"{address}/history")
        assert history.status_code == 200
        if kind != "companion":
            assert f"<ins>Other {kind}</ins>" in history.text
            assert visitor.post(f"{address}/history/roll-back", version="1").status_code == 303
            assert f"My &lt;{kind}&gt;" in visitor.get(address).text
            assert visitor.post(f"{address}/publish").status_code == 303
            assert visitor.post(f"{address}/withdraw").status_code == 303
        assert visitor.post(f"{address}/archive").status_code == 303
        copy = visitor.post(f"{address}/duplicate").headers["location"]
        assert "Copy of" in visitor.get(copy).text
        for path in (route, address, f"{address}/history"):
            read = analyst.get(path)
            assert read.status_code == 200
            # Asking changes nothing, so that readers may.
            assert f'method="post" action="{address}' not in read.text.replace(f"{address}/ask", "")
        assert analyst.get(f"{address}/edit").status_code == 403
        assert analyst.post(f"{address}/edit", title="x").status_code == 403
        assert visitor.post(f"{address}/trash").headers["location"] == route


@pytest.mark.parametrize(
    ("kind", "fields", "told"),
    [
        ("control", {"schema": "{"}, "The schema is no JSON"),
        ("control", {"schema": '{"$ref": "https://example.test"}'}, "$ref is not taken"),
        ("control", {"schema": '{"type": "integer"}', "default": '"x"'}, "does not fit the schema"),
        ("agent", {"tools": "no spaces"}, "/tools/0"),
        ("agent", {"provenance_url": "javascript:alert(1)"}, "must begin with"),
        ("app", {"input_options": ""}, "a choice needs options"),
        ("space", {"sources": "x" * 5_001}, "/sources"),
    ],
)
def test_what_can_not_be_taken_comes_back_as_typed(
    visitor: Visitor, kind: str, fields: dict[str, str], told: str
) -> None:
    given = MORE[kind] | fields
    refused = visitor.post(ROUTES[kind], title="Typed with care", **given)
    assert refused.status_code == 422
    assert told in refused.text
    assert "Typed with care" in refused.text
    assert KINDS[kind].none in visitor.get(ROUTES[kind]).text


def test_an_input_is_added_to_an_app_without_saving(visitor: Visitor) -> None:
    more = visitor.post("/apps", title="App", do="add-input", **MORE["app"])
    assert more.status_code == 200
    assert more.text.count('name="input_label"') == 2
    assert 'value="Topic"' in more.text


def test_a_list_is_filtered_and_its_filters_are_shown(visitor: Visitor) -> None:
    make(visitor, "agent", "Helper", tags="x", visibility="official")
    make(visitor, "agent", "Other")
    page = visitor.get("/agents?tag=x&visibility=official&owner=me&sort=title").text
    assert "Helper" in page
    assert "Other<" not in page
    assert page.count('class="chip"') == 3
    assert 'aria-current="page">Official' in visitor.get("/agents?visibility=official").text
    assert "Running them comes when a model endpoint is connected." in page
    assert "Nothing found" in visitor.get("/agents?status=archived").text
    assert "Other" in visitor.get("/agents?status=nonsense&sort=nonsense").text


def test_what_is_chosen_is_acted_on_or_refused_together(visitor: Visitor) -> None:
    ids = [make(visitor, "board", title).rpartition("/")[2] for title in ("A", "B")]

    def act(**fields: object) -> object:
        return visitor.client.post("/boards/bulk", data={"csrf": visitor.csrf, **fields}, headers=HTML)

    assert act(id=ids, action="add-tag", tag="New").status_code == 303  # type: ignore[attr-defined]
    assert visitor.get("/boards?tag=new").text.count('name="id"') == 2
    refused = act(id=[*ids, "01890a5d-ac96-774b-bcce-b302099a8057"], action="trash")
    assert refused.status_code == 409  # type: ignore[attr-defined]
    assert "This can&#39;t be done on 1 of 3 items" in refused.text  # type: ignore[attr-defined]
    kept = visitor.client.post(
        "/boards/bulk?sort=title", data={"csrf": visitor.csrf, "id": ids[:1], "action": "add-tag", "tag": "x" * 41}, headers=HTML
    )  # fmt: skip
    assert kept.text.count(" checked aria-label") == 1 and f'value="{"x" * 41}"' in kept.text
    assert 'action="/boards/bulk?sort=title"' in kept.text and kept.text.count('role="alert"') == 1
    for wrong in ({"action": "trash"}, {"id": "x", "action": "trash"}, {"id": ids, "action": "x"}):
        assert act(**wrong).status_code == 422  # type: ignore[attr-defined]
    assert act(id=ids, action="trash").headers["location"] == "/boards"  # type: ignore[attr-defined]
    assert "No boards yet" in visitor.get("/boards").text
    back = visitor.client.post(
        "/trash/bulk", data={"csrf": visitor.csrf, "id": ids, "action": "restore"}, headers=HTML
    )
    assert back.status_code == 303
    assert visitor.get("/boards").text.count('name="id"') == 2
    act(id=ids, action="trash")
    undo = re.search(r'action="(/trash/undo/[\w-]+)"', visitor.get("/boards").text)
    assert undo and visitor.post(undo[1]).headers["location"] == "/boards"
    assert visitor.get("/boards").text.count('name="id"') == 2
    assert visitor.post(undo[1]).status_code == 409 and visitor.post("/trash/undo/xyz").status_code == 422


def test_a_collection_is_put_together(visitor: Visitor) -> None:
    address = make(visitor, "collection", "Set")
    ids = {title: make(visitor, "space", title).rpartition("/")[2] for title in ("Alpha", "Beta")}
    assert f'value="{ids["Alpha"]}"' in visitor.get(f"{address}?find=alpha").text
    for item_id in ids.values():
        assert visitor.post(f"{address}/entries", do="add", entry=item_id).status_code == 303
    assert visitor.post(f"{address}/entries", do="add", entry=ids["Beta"]).status_code == 422
    visitor.post(f"{address}/entries", do="up", entry=ids["Beta"])
    visitor.post(f"{address}/entries", do="note", entry=ids["Beta"], note="Why it is here")
    page = visitor.get(address).text
    assert page.index("Beta") < page.index("Alpha")
    assert "Why it is here" in page
    assert "Set" in visitor.get(f"/spaces/{ids['Beta']}").text
    visitor.post(f"{address}/entries", do="remove", entry=ids["Beta"])
    assert "Beta" not in visitor.get(address).text.split("toasts")[0]
    for wrong in (
        {"do": "up", "entry": "x"},
        {"do": "x", "entry": ids["Alpha"]},
        {"do": "add", "entry": "x"},
    ):
        assert visitor.post(f"{address}/entries", **wrong).status_code == 422


def test_a_board_is_drawn_and_written_without_a_mouse(visitor: Visitor, session: Session) -> None:
    address = make(visitor, "board", "Plan")
    space = make(visitor, "space", "Handbook").rpartition("/")[2]
    visitor.post(f"{address}/parts", do="add-note", text="First <b>", colour="blue")
    visitor.post(f"{address}/parts", do="add-item", item=space)

    def board() -> dict[str, list[dict[str, str]]]:
        session.expire_all()
        return contents.read(
            session, principal=visitor.principal, item_id=address.rpartition("/")[2]
        ).content.document()  # type: ignore[return-value,arg-type]

    note, card = board()["notes"][0]["id"], board()["items"][0]["id"]
    assert (
        visitor.post(
            f"{address}/parts", **{"do": "add-link", "from": note, "to": card, "label": "see"}
        ).status_code
        == 303
    )
    assert visitor.post(f"{address}/parts", **{"do": "add-link", "from": note, "to": note}).status_code == 422
    visitor.post(f"{address}/parts", do="comment", text="Well done")
    visitor.post(f"{address}/parts", do="change-note", id=note, text="Second", x="700", y="90")
    for path in (address, f"{address}/canvas"):
        page = visitor.get(path).text
        assert "Second" in page
        assert "Handbook" in page
    assert "Well done" in visitor.get(address).text
    moved = visitor.client.post(
        f"{address}/parts", data={"do": "move", "id": card, "x": "12.6", "y": "-5"},
        headers={"HX-Request": "true", "X-CSRF-Token": visitor.csrf},
    )  # fmt: skip
    assert moved.status_code == 204
    assert (board()["items"][0]["x"], board()["items"][0]["y"]) == (13, 0)
    visitor.post(f"{address}/parts", do="remove", id=note)
    assert board()["links"] == []
    for wrong in (
        {"do": "x"},
        {"do": "move", "id": "x"},
        {"do": "move", "id": card, "x": "far"},
        {"do": "add-note", "text": " "},
    ):
        assert visitor.post(f"{address}/parts", **wrong).status_code == 422


def test_a_control_is_previewed_without_being_saved(visitor: Visitor) -> None:
    schema = json.dumps(
        {
            "type": "object",
            "required": ["a"],
            "properties": {"a": {"enum": ["x", "y"]}, "b": {"type": "boolean"}},
        }
    )
    fields = {"schema": schema, "direction": "input", "title": "T"}
    page = visitor.post("/controls/preview", **fields)
    assert page.status_code == 200
    assert "<select" in page.text.split('id="preview"')[1]
    piece = visitor.client.post(
        "/controls/preview",
        data={**fields, "schema": "{"},
        headers={"HX-Request": "true", "X-CSRF-Token": visitor.csrf},
    )
    assert "is no JSON" in piece.text
    assert "<html" not in piece.text
    assert "No controls yet" in visitor.get("/controls").text


def test_a_space_takes_documents_and_answers(visitor: Visitor, engine: Engine, settings: Settings) -> None:
    storage = ObjectStorage(settings)
    storage.ensure_buckets()
    address = make(visitor, "space", "Handbook")
    files = [
        ("files", ("leave.txt", b"Employees get thirty days of annual leave.", "text/plain")),
        ("files", ("bad.bin", b"\x00\x01", "")),
    ]
    sent = visitor.client.post(f"{address}/documents", data={"csrf": visitor.csrf}, files=files, headers=HTML)
    assert sent.status_code == 303
    page = visitor.get(address).text
    assert page.count("Waiting") == 2
    assert "leave.txt" in page
    ids = re.findall(rf'action="{address}/documents/([^/]+)/delete"', page)
    for document_id in ids:
        ingest(engine, storage, document_id=UUID(document_id))
    assert "Failed" in visitor.get(address).text
    assert "thirty days" in visitor.get(f"{address}?ask=annual+leave+days").text.split('class="answer"')[1]
    file = visitor.get(f"{address}/documents/{ids[0]}/file")
    assert file.headers["Content-Disposition"].startswith("attachment; ")
    assert visitor.post(f"{address}/documents/{ids[0]}/ingest").status_code == 303
    assert visitor.post(f"{address}/documents/{ids[0]}/delete").status_code == 303
    assert f'action="/documents/{ids[0]}/restore"' in visitor.get(address).text
    assert f'action="/documents/{ids[0]}/restore"' in visitor.get("/trash").text
    assert visitor.post(f"/documents/{ids[0]}/restore").headers["location"] == address
    assert "The trash is empty" in visitor.get("/trash").text
    for document_id in ids:
        assert visitor.post(f"{address}/documents/{document_id}/delete").status_code == 303
    assert "No documents yet" in visitor.get(address).text
    assert visitor.post(f"/documents/{ids[1]}/purge").status_code == 303
    assert f'action="/documents/{ids[1]}/restore"' not in visitor.get(address).text
    empty = visitor.post(f"{address}/documents")
    assert (empty.status_code, "No file is chosen." in empty.text) == (422, True)


def test_a_file_is_previewed_imported_and_exported(visitor: Visitor, session: Session) -> None:
    def send(do: str, content: bytes) -> object:
        return visitor.client.post(
            "/agents/import",
            data={"csrf": visitor.csrf, "do": do},
            files={"file": ("a.csv", content, "text/csv")},
            headers=HTML,
        )

    preview = send("preview", b"title,tags\nFirst,x\nSecond,\n")
    assert "What the file would do" in preview.text  # type: ignore[attr-defined]
    assert session.query(Item).count() == 0
    again = visitor.post("/agents/import", do="import", shape="csv", text="title,tags\nFirst,x\nSecond,\n")
    assert again.status_code == 303
    assert "First" in visitor.get("/agents?tag=x").text
    wrong = send("import", b'title,tags\n"",x\n')
    assert (wrong.status_code, "Line 2" in wrong.text) == (422, True)  # type: ignore[attr-defined]
    text = visitor.get("/agents/export?form=csv&tag=x").text
    assert "First" in text
    assert "Second" not in text
    assert visitor.get("/agents/export?form=json").json()["items"][0]["kind"] == "agent"
    assert visitor.get("/agents/export?form=xml").status_code == 422
