"""Conversations: the list, one with its messages, and what is done with it."""

from collections.abc import Callable
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Query, Request, Response
from pydantic import BaseModel
from starlette.datastructures import FormData

from leitstand.catalogue.editing import may_edit
from leitstand.catalogue.favorites import favorite_ids
from leitstand.catalogue.grants import may_share
from leitstand.catalogue.listing import Filters as ItemFilters
from leitstand.catalogue.listing import find as find_items
from leitstand.companions.inputs import fields_of, from_form
from leitstand.companions.runner import transcript
from leitstand.companions.steps import Input
from leitstand.conversations import assistant, changing, companions, keeping
from leitstand.conversations.export import TYPES, export
from leitstand.conversations.reading import WITHHELD, Filters, find, open_one
from leitstand.db.models import Conversation
from leitstand.errors import InvalidInput, LeitstandError
from leitstand.identity.access import Principal
from leitstand.knowledge.answers import EXTRACTIVE_NOTE
from leitstand.words import N_
from serving.session import CurrentPrincipal, Db, require_csrf
from web.form_values import REFUSALS, one_id, start_of_day
from web.pages import go, render
from web.routes.items.kind import WholeForm, texts_of

router = APIRouter(prefix="/conversations", include_in_schema=False)
CSRF = [Depends(require_csrf)]
Text = Annotated[str, Form()]
STATE_TITLES = {"open": N_("Going on"), "ended": N_("Ended"), "archived": N_("Archived")}
PARTNER_TITLES = {"assistant": N_("With the assistant"), "companion": N_("With companions")}
OWNER_TITLES = {"me": N_("Mine"), "others": N_("Shared with me")}
PUBLISHED_SHOWN = 50
# Their answers cite nothing: what kind of answer it is says why.
NOTES = {"extractive": EXTRACTIVE_NOTE}


class Chosen(BaseModel):
    """The filters as they stand in the address."""

    q: str = ""
    partner: str = ""
    companion: str = ""
    owner: str = ""
    state: str = ""
    since: str = ""
    favorites: str = ""

    def filters(self, zone: str) -> Filters:
        """The same as the core takes them; days begin in a zone."""
        return Filters(
            q=self.q, partner=self.partner, companion=one_id(self.companion), owner=self.owner, state=self.state,
            since=start_of_day(self.since, zone), favorites=bool(self.favorites),
        )  # fmt: skip


@router.get("")
def list_page(
    request: Request,
    session: Db,
    principal: CurrentPrincipal,
    chosen: Annotated[Chosen, Depends()],
    cursor: Annotated[str | None, Query()] = None,
) -> Response:
    """One's own and those shared."""
    return _list(request, session, principal, chosen, cursor=cursor)


def _list(
    request: Request,
    session: Db,
    principal: Principal,
    chosen: Chosen,
    *,
    cursor: str | None = None,
    error: LeitstandError | None = None,
) -> Response:
    filters = chosen.filters(principal.local_zone)
    page = find(session, principal=principal, filters=filters, cursor=cursor)
    pinned = favorite_ids(session, principal=principal, item_ids=[row.item.id for row in page.rows])
    following = {name: value for name, value in chosen.model_dump().items() if value}
    return render(
        request, principal, "conversations.html", area="conversations", code=error.status if error else 200,
        error=error, page=page, chosen=chosen, filters=filters, pinned=pinned, following=following,
        states=STATE_TITLES, partners=PARTNER_TITLES, owners=OWNER_TITLES, companions=_published(session, principal),
    )  # fmt: skip


@router.post("/with", dependencies=CSRF)
def begin(request: Request, session: Db, principal: CurrentPrincipal, companion: Text = "") -> Response:
    """Begin one with a companion."""
    try:
        companion_id = one_id(companion)
        if companion_id is None:
            raise InvalidInput("No companion is chosen.", hint="Choose one from the list.")
        with session.begin_nested():
            made = companions.begin_with(session, principal=principal, companion_id=companion_id)
    except REFUSALS as error:
        return _list(request, session, principal, Chosen(), error=error)
    return go(f"/conversations/{made.item_id}")


@router.get("/{item_id}")
def show(request: Request, session: Db, principal: CurrentPrincipal, item_id: UUID) -> Response:
    """One with its messages, and the form to go on."""
    return _page(request, session, principal, item_id)


@router.post("/{item_id}/messages", dependencies=CSRF)
def say(
    request: Request,
    session: Db,
    principal: CurrentPrincipal,
    item_id: UUID,
    form: WholeForm,
    text: Text = "",
    revision: Annotated[int, Form(ge=0, le=1_000_000)] = 0,
) -> Response:
    """Go on."""
    _, conversation = keeping.held(session, principal=principal, item_id=item_id)
    given = text or _of_fields(session, principal, conversation, form)

    def deed() -> None:
        if conversation.partner == keeping.ASSISTANT:
            assistant.go_on(session, principal=principal, item_id=item_id, question=text)
        else:
            companions.answer(session, principal=principal, item_id=item_id, revision=revision, words=given)

    address = f"/conversations/{item_id}#say"
    return _try(request, session, principal, item_id, deed, address, "", text=given)


@router.post("/{item_id}/rename", dependencies=CSRF)
def rename(
    request: Request, session: Db, principal: CurrentPrincipal, item_id: UUID, title: Text = ""
) -> Response:
    """Give it another title."""

    def deed() -> None:
        changing.rename(session, principal=principal, item_id=item_id, title=title)

    return _try(request, session, principal, item_id, deed, f"/conversations/{item_id}", "saved", title=title)


@router.post("/{item_id}/archive", dependencies=CSRF)
def archive(session: Db, principal: CurrentPrincipal, item_id: UUID) -> Response:
    """Put it aside."""
    changing.archive(session, principal=principal, item_id=item_id)
    return go(f"/conversations/{item_id}", "archived")


@router.post("/{item_id}/unarchive", dependencies=CSRF)
def unarchive(session: Db, principal: CurrentPrincipal, item_id: UUID) -> Response:
    """Take it back into the list."""
    changing.archive(session, principal=principal, item_id=item_id, archived=False)
    return go(f"/conversations/{item_id}", "saved")


@router.post("/{item_id}/delete", dependencies=CSRF)
def delete(session: Db, principal: CurrentPrincipal, item_id: UUID) -> Response:
    """Put it into the trash."""
    changing.throw_away(session, principal=principal, item_id=item_id)
    return go("/conversations", "trashed", item_id)


@router.post("/{item_id}/messages/{message_id}/feedback", dependencies=CSRF)
def judge(
    session: Db, principal: CurrentPrincipal, item_id: UUID, message_id: UUID, feedback: Text = ""
) -> Response:
    """Say whether an answer helped."""
    changing.judge(session, principal=principal, item_id=item_id, message_id=message_id, feedback=feedback)
    return go(f"/conversations/{item_id}#message-{message_id}", "saved")


@router.get("/{item_id}/export")
def export_one(
    session: Db,
    principal: CurrentPrincipal,
    item_id: UUID,
    form: Annotated[str, Query(alias="format")] = "json",
) -> Response:
    """Everything said in it, as a file."""
    text = export(session, principal=principal, item_id=item_id, form=form)
    name = f'attachment; filename="conversation.{form}"'
    headers = {"Content-Disposition": name, "Cache-Control": "no-store"}
    return Response(text, media_type=TYPES[form], headers=headers)


def _try(
    request: Request,
    session: Db,
    principal: Principal,
    item_id: UUID,
    deed: Callable[[], None],
    address: str,
    notice: str,
    **form: Any,
) -> Response:
    """Do it and go to the address, or show the page with what is wrong and what was typed."""
    try:
        with session.begin_nested():
            deed()
    except REFUSALS as error:
        return _page(request, session, principal, item_id, error=error, form=form)
    return go(address, notice)


def _page(
    request: Request,
    session: Db,
    principal: Principal,
    item_id: UUID,
    *,
    error: LeitstandError | None = None,
    form: dict[str, Any] | None = None,
) -> Response:
    opened = open_one(session, principal=principal, item_id=item_id)
    item, conversation = opened.row.item, opened.row.conversation
    run = None
    if opened.mine:
        run = companions.standing(session, principal=principal, conversation=conversation)
    step = run.flow.step(run.state.step) if run else None
    given = (form or {}).get("text", "")
    return render(
        request, principal, "conversation.html", area="conversations", code=error.status if error else 200,
        opened=opened, item=item, conversation=conversation, run=run, step=step,
        fields=fields_of(step, given) if isinstance(step, Input) else (),
        words=list(transcript(run.flow, run.state))[-1].text if run else "",
        changeable=opened.mine and may_edit(session, principal, item), shareable=may_share(principal, item),
        starred=bool(favorite_ids(session, principal=principal, item_ids=[item_id])), notes=NOTES,
        withheld=WITHHELD, error=error, form=form or {},
    )  # fmt: skip


def _of_fields(session: Db, principal: Principal, conversation: Conversation, form: FormData) -> str:
    """What the fields of a control send, as the companion takes it where the conversation stands; empty for others."""
    run = companions.standing(session, principal=principal, conversation=conversation)
    step = run.flow.step(run.state.step) if run else None
    return from_form(step, {name: texts_of(form, name) for name in form}) if isinstance(step, Input) else ""


def _published(session: Db, principal: Principal) -> list[Any]:
    """The companions that one may begin a conversation with."""
    if principal.external or not principal.may("item:write"):
        return []
    wanted = ItemFilters(kind="companion", status="published", sort="title")
    return list(find_items(session, principal=principal, filters=wanted, limit=PUBLISHED_SHOWN).items)
