"""Items as files: exported and taken in again, checked whole, nothing written where anything is wrong."""

import csv
import io
import json
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from leitstand.catalogue import contents, trash
from leitstand.catalogue.exports import export
from leitstand.catalogue.listing import Filters
from leitstand.companions.importing import import_items
from leitstand.db.models import Item, ItemVersion, Workspace
from leitstand.errors import Forbidden, InvalidInput, TooLarge
from leitstand.identity.access import ROLES, Principal

FLOW = {"title": "T", "steps": [{"kind": "end", "name": "bye", "text": "Bye."}]}


def exported(session: Session, principal: Principal, form: str) -> str:
    return "".join(export(session, principal=principal, filters=Filters(sort="title"), form=form))


def faults(session: Session, principal: Principal, data: str, form: str = "json") -> list[Any]:
    with pytest.raises(InvalidInput) as refused:
        import_items(session, principal=principal, data=data.encode(), form=form, kind="agent")
    return list(refused.value.details.get("errors", []))  # type: ignore[call-overload]


def count(session: Session) -> int:
    return session.scalar(select(func.count()).select_from(Item)) or 0


def file_of(*items: object) -> str:
    return json.dumps({"format": "leitstand-items", "version": 1, "items": list(items)}, indent=1)


def test_what_is_exported_is_the_same_in_another_workspace(session: Session, owner: Principal) -> None:
    space = contents.create(session, principal=owner, kind="space", title="=HYPERLINK(1)", tags=["a", "b"])
    agent = contents.create(
        session, principal=owner, kind="agent", title="Agent", content={"spaces": [str(space.id)]}
    )
    contents.create(session, principal=owner, kind="companion", title="Bot", content=FLOW)
    entries = {"entries": [{"item_id": str(item.id)} for item in (agent, space)]}
    contents.create(session, principal=owner, kind="collection", title="Both", content=entries)
    text = exported(session, owner, "json")
    other = Workspace(slug="other", name="Other")
    session.add(other)
    session.flush()
    theirs = Principal(None, other.id, "x", "", "owner", ROLES["owner"])
    planned = import_items(session, principal=theirs, data=text.encode(), form="json", dry_run=True)
    assert [(one.line, one.action, one.item_id) for one in planned] == [
        (n, "make", None) for n in (2, 3, 4, 5)
    ]
    assert count(session) == 4
    done = import_items(session, principal=theirs, data=text.encode(), form="json")
    assert count(session) == 8
    ids = {one.title: str(one.item_id) for one in done}
    again = json.loads(exported(session, theirs, "json"))["items"]
    by_title = {item["title"]: item for item in again}
    assert by_title["Agent"]["content"]["spaces"] == [ids["=HYPERLINK(1)"]]
    assert [e["item_id"] for e in by_title["Both"]["content"]["entries"]] == [
        ids["Agent"],
        ids["=HYPERLINK(1)"],
    ]
    assert by_title["Bot"]["content"]["steps"][0]["text"] == "Bye."
    assert set(session.scalars(select(ItemVersion.number))) == {1}


def test_spreadsheets_run_nothing_and_csv_comes_back(session: Session, owner: Principal) -> None:
    titles = ["=1+1", "+x", "-y", "@z", 'quo"te, comma', "'plain"]
    for title in titles:
        contents.create(
            session, principal=owner, kind="agent", title=title, description="two\nlines", tags=["t"]
        )
    text = exported(session, owner, "csv")
    rows = list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))
    assert len(rows) == len(titles)
    assert all(not cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row.values())
    import_items(session, principal=owner, data=text.encode(), form="csv")
    found = session.scalars(select(Item.title).order_by(Item.title)).all()
    assert sorted(found) == sorted(titles * 2)


def test_a_key_makes_an_import_idempotent(session: Session, owner: Principal) -> None:
    first = file_of({"kind": "space", "title": "Handbook", "external_key": "hb", "content": {"sources": "a"}})
    for text in (first, first, first.replace('"a"', '"b"')):
        done = import_items(session, principal=owner, data=text.encode(), form="json")
    assert done[0].action == "change"
    item = session.scalars(select(Item)).one()
    assert (item.version, item.external_key) == (2, "hb")
    trash.trash_item(session, principal=owner, item_id=item.id)
    assert faults(session, owner, first)[0]["pointer"] == "/items/0/external_key"


def test_every_fault_is_named_and_nothing_is_written(session: Session, owner: Principal) -> None:
    text = file_of(
        {"kind": "agent", "title": "Good"},
        {"kind": "agent", "title": "", "tags": "x"},
        {"kind": "agent", "title": "x", "content": {"tools": ["no spaces here"]}},
        {"kind": "wrong", "title": "x"},
        {"kind": "agent", "title": "x", "secret": 1},
        {"kind": "companion", "title": "x", "content": {"title": "x", "steps": []}},
        {"kind": "agent", "title": "x", "visibility": "all"},
        7,
    )
    told = faults(session, owner, text)
    assert [one["pointer"] for one in told] == [
        "/items/1/title", "/items/1/tags", "/items/2/content/tools/0", "/items/3/kind", "/items/4",
        "/items/5/content", "/items/6/visibility", "/items/7",
    ]  # fmt: skip
    assert told[0]["line"] == text[: text.index('"title": ""')].count("\n") - 1
    hidden = file_of(
        {"kind": "agent", "title": "x", "content": {"spaces": ["00000000-0000-0000-0000-000000000007"]}}
    )
    assert "no such space" in faults(session, owner, hidden)[0]["detail"]
    twice = file_of(*({"kind": "agent", "title": "x", "external_key": "k"} for _ in "ab"))
    assert faults(session, owner, twice)[0]["detail"] == "stands twice in the file"
    told = faults(session, owner, 'title,tags\nGood,x\n"",y\na,b,c\n', "csv")
    assert [one["line"] for one in told] == [3, 4]
    session.commit()
    assert count(session) == 0


@pytest.mark.parametrize(
    ("data", "form"),
    [
        (b"", "json"), (b"[" * 100_000, "json"), (b"{}", "json"), (b'{"format": "leitstand-items"}', "json"),
        (b"\xff", "json"), (b"\x00", "csv"), (b"name\nx", "csv"), (b"title,title\nx,y", "csv"), (b"title\n", "csv"),
        (b'title\n"x', "csv"), (b'{"format": "leitstand-items", "version": 1, "items": [' + b"9" * 5000 + b"]}", "json"),
    ],
)  # fmt: skip
def test_what_is_no_file_of_items_is_refused(
    session: Session, owner: Principal, data: bytes, form: str
) -> None:
    with pytest.raises(InvalidInput):
        import_items(session, principal=owner, data=data, form=form)


def test_limits_and_permission(session: Session, owner: Principal) -> None:
    with pytest.raises(TooLarge):
        import_items(session, principal=owner, data=b"x" * 5_000_001, form="csv")
    with pytest.raises(TooLarge):
        import_items(session, principal=owner, data=b"title\n" + b"x\n" * 5_001, form="csv")
    reader = Principal(None, owner.workspace_id, "", "", "analyst", ROLES["analyst"])
    with pytest.raises(Forbidden):
        import_items(session, principal=reader, data=b"title\nx", form="csv")
