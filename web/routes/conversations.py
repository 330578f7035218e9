"""Conversations: the list, one with its messages, and what is done with it."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Query, Request, Response
from pydantic import BaseModel

from leitstand.catalogue.favorites import favorite_ids
from leitstand.catalogue.listing import Filters as ItemFilters
from leitstand.catalogue.listing import find as find_items
from leitstand.companions.inputs import from_form
from leitstand.conversations import agents, changing, companions, keeping, talking
from leitstand.conversations.export import TYPES, export
from leitstand.conversations.reading import Filters, find
from leitstand.errors import InvalidInput, LeitstandError, TooManyRequests
from leitstand.identity.access import Principal
from leitstand.settings import get_settings
from leitstand.storage.store import store_of
from leitstand.words import N_
from serving.companion_answers import prepared
from serving.session import CurrentPrincipal, Db, require_csrf
from web.conversation_page import awaited_step, files_of, page, tried
from web.form_values import REFUSALS, one_id, start_of_day
from web.pages import go, render
from web.routes.items.kind import WholeForm, texts_of

router = APIRouter(prefix="/conversations", include_in_schema=False)
CSRF = [Depends(require_csrf)]
Text = Annotated[str, Form()]
STATE_TITLES = {"open": N_("Going on"), "ended": N_("Ended"), "archived": N_("Archived")}
PARTNER_TITLES = {
    "assistant": N_("With the assistant"),
    "companion": N_("With companions"),
    "agent": N_("With agents"),
}
OWNER_TITLES = {"me": N_("Mine"), "others": N_("Shared with me")}
PUBLISHED_SHOWN = 50


class Chosen(BaseModel):
    """The filters as they stand in the address."""

    q: str = ""
    partner: str = ""
    companion: str = ""
    agent: str = ""
    owner: str = ""
    state: str = ""
    since: str = ""
    favorites: str = ""

    def filters(self, zone: str) -> Filters:
        """The same as the core takes them; days begin in a zone."""
        return Filters(
            q=self.q, partner=self.partner, companion=one_id(self.companion),
            agent=one_id(self.agent), owner=self.owner, state=self.state, since=start_of_day(self.since, zone), favorites=bool(self.favorites),
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
    asked: dict[str, str] | None = None,
) -> Response:
    filters = chosen.filters(principal.local_zone)
    page = find(session, principal=principal, filters=filters, cursor=cursor)
    pinned = favorite_ids(session, principal=principal, item_ids=[row.item.id for row in page.rows])
    following = {name: value for name, value in chosen.model_dump().items() if value}
    return render(
        request, principal, "conversations.html", area="conversations", code=error.status if error else 200,
        error=error, page=page, chosen=chosen, filters=filters, pinned=pinned, following=following,
        states=STATE_TITLES, partners=PARTNER_TITLES, owners=OWNER_TITLES, companions=_published(session, principal),
        agents=_agents(session, principal), asked=asked or {"agent": "", "question": ""},
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


@router.post("/with-agent", dependencies=CSRF)
def begin_with_agent(
    request: Request,
    session: Db,
    principal: CurrentPrincipal,
    form: WholeForm,
    agent: Text = "",
    question: Text = "",
) -> Response:
    """Begin one with an agent by asking it."""
    try:
        agent_id = one_id(agent)
        if agent_id is None:
            raise InvalidInput("No agent is chosen.", hint="Choose one from the list.")
        with session.begin_nested():
            made = agents.begin_with(
                session, principal=principal, agent_id=agent_id, question=question, files=files_of(form),
                storage=store_of(get_settings()),
            )  # fmt: skip
    except REFUSALS as error:
        asked = {"agent": agent, "question": question}
        return _list(request, session, principal, Chosen(), error=error, asked=asked)
    return go(f"/conversations/{made.item_id}#say")


@router.get("/{item_id}")
def show(request: Request, session: Db, principal: CurrentPrincipal, item_id: UUID) -> Response:
    """One with its messages, and the form to go on."""
    return page(request, session, principal, item_id)


@router.post("/{item_id}/messages", dependencies=CSRF)
def say(
    request: Request,
    session: Db,
    principal: CurrentPrincipal,
    item_id: UUID,
    form: WholeForm,
    text: Text = "",
    revision: Annotated[int, Form(ge=0, le=1_000_000)] = 0,
    after: Annotated[int | None, Form(ge=0, le=1_000_000)] = None,
) -> Response:
    """Go on."""
    _, conversation = keeping.held(session, principal=principal, item_id=item_id)
    given = text
    if not text and (step := awaited_step(session, principal, conversation)):
        given = from_form(step, {name: texts_of(form, name) for name in form})

    reply = None
    if conversation.partner == keeping.COMPANION:
        try:
            reply = prepared(session, principal, item_id=item_id, revision=revision, words=given)
        except TooManyRequests as error:
            return page(request, session, principal, item_id, error=error, form={"text": given})

    def deed() -> None:
        if conversation.partner == keeping.COMPANION:
            companions.answer(
                session, principal=principal, item_id=item_id, revision=revision, words=given, prepared=reply
            )
        else:
            talking.go_on(
                session, principal=principal, item_id=item_id, question=text, after=after, files=files_of(form),
                storage=store_of(get_settings()),
            )  # fmt: skip

    return tried(request, session, principal, item_id, deed, f"/conversations/{item_id}#say", text=given)


@router.post("/{item_id}/rename", dependencies=CSRF)
def rename(
    request: Request, session: Db, principal: CurrentPrincipal, item_id: UUID, title: Text = ""
) -> Response:
    """Give it another title."""

    def deed() -> None:
        changing.rename(session, principal=principal, item_id=item_id, title=title)

    return tried(
        request, session, principal, item_id, deed, f"/conversations/{item_id}", "saved", title=title
    )


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


def _published(session: Db, principal: Principal) -> list[Any]:
    """The companions that one may begin a conversation with."""
    if principal.external or not principal.may("item:write"):
        return []
    wanted = ItemFilters(kind="companion", status="published", sort="title")
    return list(find_items(session, principal=principal, filters=wanted, limit=PUBLISHED_SHOWN).items)


def _agents(session: Db, principal: Principal) -> list[Any]:
    """The agents that one may talk with."""
    if principal.external or not principal.may("item:write"):
        return []
    wanted = ItemFilters(kind="agent", sort="title")
    found = find_items(session, principal=principal, filters=wanted, limit=PUBLISHED_SHOWN).items
    return [agent for agent in found if agent.status != "archived"]
