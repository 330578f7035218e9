"""The page of one conversation, and the piece of it that follows an answer while it is written."""

from collections.abc import Callable
from hashlib import sha256
from typing import Any
from uuid import UUID

from fastapi import Request, Response
from starlette.datastructures import FormData, UploadFile

from leitstand.agents.starting import LONGEST_TEXT
from leitstand.catalogue.editing import may_edit
from leitstand.catalogue.favorites import favorite_ids
from leitstand.catalogue.grants import may_share
from leitstand.companions.inputs import fields_of
from leitstand.companions.runner import transcript
from leitstand.companions.steps import Input
from leitstand.conversations import agents, assistant, companions, keeping
from leitstand.conversations.files import MOST_BYTES, MOST_FILES, File
from leitstand.conversations.reading import WITHHELD, Opened, Shown, open_one
from leitstand.db.models import Conversation
from leitstand.errors import LeitstandError
from leitstand.identity.access import Principal
from leitstand.knowledge.answers import EXTRACTIVE_NOTE
from leitstand.knowledge.media import readable_kinds
from leitstand.knowledge.search import MAX_QUESTION
from leitstand.settings import get_settings
from serving.session import Db
from web.form_values import REFUSALS
from web.pages import go, render

# Their answers cite nothing: what kind of answer it is says why.
NOTES = {"extractive": EXTRACTIVE_NOTE}


def page(
    request: Request,
    session: Db,
    principal: Principal,
    item_id: UUID,
    *,
    error: LeitstandError | None = None,
    form: dict[str, Any] | None = None,
) -> Response:
    """The whole page, with what was refused and what was typed."""
    opened = open_one(session, principal=principal, item_id=item_id)
    item, conversation = opened.row.item, opened.row.conversation
    run = None
    if opened.mine:
        run = companions.standing(session, principal=principal, conversation=conversation)
    step = run.flow.step(run.state.step) if run else None
    given = (form or {}).get("text", "")
    return render(
        request, principal, "conversation.html", area="conversations", code=error.status if error else 200,
        item=item, conversation=conversation, run=run, step=step,
        fields=fields_of(step, given) if isinstance(step, Input) else (),
        words=list(transcript(run.flow, run.state))[-1].text if run else "",
        shareable=may_share(principal, item), error=error, form=form or {},
        starred=bool(favorite_ids(session, principal=principal, item_ids=[item_id])),
        **message_names(session, principal, opened), **file_names(_model(session, principal, opened)),
    )  # fmt: skip


def message_names(session: Db, principal: Principal, opened: Opened) -> dict[str, Any]:
    """What the page and the piece of one message have in common."""
    conversation = opened.row.conversation
    with_agent = conversation.partner == keeping.AGENT
    changeable = opened.mine and may_edit(session, principal, opened.row.item)
    return {
        "opened": opened, "changeable": changeable, "notes": NOTES, "withheld": WITHHELD, "mark": mark,
        "branching": conversation.partner == keeping.ASSISTANT or (with_agent and bool(opened.row.agent)),
        "scanner": bool(get_settings().clamd_address), "most": LONGEST_TEXT if with_agent else MAX_QUESTION,
    }  # fmt: skip


def file_names(model: bool) -> dict[str, Any]:
    """What the field for files shows; `model`: whether one is there that reads them."""
    return {
        "model": model, "most_files": MOST_FILES, "most_bytes": MOST_BYTES, "readable_kinds": readable_kinds()
    }  # fmt: skip


def mark(shown: Shown) -> str:
    """What changes whenever anything does that the piece of a message shows."""
    told: list[Any] = [shown.message.status, shown.text, [(one.status, one.reason) for one in shown.files]]
    if shown.thread is not None:
        thread = shown.thread.row.thread
        told += [thread.status, thread.cancel_requested_at, [one.status for one in shown.thread.steps]]
    return sha256(repr(told).encode(errors="replace")).hexdigest()[:16]


def tried(
    request: Request,
    session: Db,
    principal: Principal,
    item_id: UUID,
    deed: Callable[[], object],
    address: str,
    notice: str = "",
    **form: Any,
) -> Response:
    """Do it and go to the address, or show the page with what is wrong and what was typed."""
    try:
        with session.begin_nested():
            deed()
    except REFUSALS as error:
        return page(request, session, principal, item_id, error=error, form=form)
    return go(address, notice)


def files_of(form: FormData) -> list[File]:
    """The files of a form, each read as far as one may be large."""
    return [
        File(file.filename or "", file.file.read(MOST_BYTES + 1), file.content_type or "")
        for file in form.getlist("files")
        if isinstance(file, UploadFile) and file.filename
    ]


def awaited_step(session: Db, principal: Principal, conversation: Conversation) -> Input | None:
    """The control that a companion waits for, where it waits for one."""
    run = companions.standing(session, principal=principal, conversation=conversation)
    step = run.flow.step(run.state.step) if run else None
    return step if isinstance(step, Input) else None


def _model(session: Db, principal: Principal, opened: Opened) -> bool:
    """Whether a model is there that reads what one sends in one's own conversation."""
    if not opened.mine or not principal.may("item:write"):
        return False
    if opened.row.conversation.partner == keeping.AGENT:
        agent_id = opened.row.conversation.agent_id
        agent = agents.require_agent(session, principal, agent_id) if opened.row.agent else None
        return agent is not None and agents.has_model(session, principal, agent)
    return assistant.has_model(session, principal=principal)
