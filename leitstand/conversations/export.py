"""A conversation as a file: JSON, Markdown or CSV."""

import csv
import io
import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from leitstand.catalogue.exports import harmless
from leitstand.conversations.reading import WITHHELD, Opened, Shown, open_one
from leitstand.errors import InvalidInput
from leitstand.identity.access import Principal

TYPES = {
    "json": "application/json", "md": "text/markdown; charset=utf-8", "csv": "text/csv; charset=utf-8",
}  # fmt: skip
COLUMNS = ("position", "at", "by", "text", "note", "feedback", "citations", "files", "status")


def export(session: Session, *, principal: Principal, item_id: UUID, form: str) -> str:
    """What was said in a conversation that the principal may read: on the chosen branch, in JSON on all of them.

    Args:
        form: one of `TYPES`.

    Raises:
        NotFound: there is no such conversation.
        InvalidInput: there is no such form.
    """
    if form not in TYPES:
        raise InvalidInput("There is no such format.", hint="It is json, md or csv.")
    return FORMS[form](open_one(session, principal=principal, item_id=item_id))


def document(opened: Opened) -> dict[str, Any]:
    """The conversation as JSON values, with every branch: `parent` is the position of the message before."""
    row = opened.row
    chosen = {shown.message.id for shown in opened.messages}
    return {
        "id": str(row.item.id), "title": row.item.title, "with": row.partner or row.conversation.partner,
        "owner": row.owner, "begun_at": row.item.created_at.isoformat(), "changed_at": row.item.updated_at.isoformat(),
        "messages": [
            _record(shown) | {"parent": shown.message.parent, "chosen": shown.message.id in chosen}
            for shown in opened.everything
        ],
    }  # fmt: skip


def _record(shown: Shown) -> dict[str, Any]:
    message = shown.message
    return {
        "position": message.position, "at": message.created_at.isoformat(), "by": message.said_by,
        "text": _text(shown), "note": str(message.note), "feedback": message.feedback,
        "citations": list(shown.citations), "files": [file.name for file in shown.files],
        "status": message.status,
    }  # fmt: skip


def _text(shown: Shown) -> str:
    return WITHHELD if shown.withheld else shown.text


def _json(opened: Opened) -> str:
    return json.dumps(document(opened), ensure_ascii=False, indent=2) + "\n"


def _csv(opened: Opened) -> str:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for shown in opened.messages:
        cited = "; ".join(f"[{one['number']}] {one['title']}" for one in shown.citations)
        record = _record(shown)
        record |= {"citations": cited, "files": "; ".join(record["files"])}
        writer.writerow([harmless(str(record[name])) for name in COLUMNS])
    # A byte order mark: without it spreadsheets take UTF-8 for something else.
    return "\ufeff" + text.getvalue()


def _markdown(opened: Opened) -> str:
    lines = [f"# {opened.row.item.title}", ""]
    for shown in opened.messages:
        at = shown.message.created_at.strftime("%Y-%m-%d %H:%M UTC")
        lines += [f"## {_speaker(opened, shown)}, {at}", "", _text(shown), ""]
        lines += [f"*{file.name}*" for file in shown.files] + [""] * bool(shown.files)
        lines += [f"- [{one['number']}] {one['title']}: {one['quote']}" for one in shown.citations]
        lines += [""] if shown.citations else []
    return "\n".join(lines)


def _speaker(opened: Opened, shown: Shown) -> str:
    by = shown.message.said_by
    names = {"person": opened.row.owner, "companion": opened.row.companion, "agent": opened.row.agent}
    return names.get(by, "") or by.capitalize()


FORMS: dict[str, Callable[[Opened], str]] = {"json": _json, "md": _markdown, "csv": _csv}
