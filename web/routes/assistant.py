"""The assistant: a question, and the answer as a conversation."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request, Response

from leitstand.catalogue.areas import BY_SLUG, may_see
from leitstand.catalogue.listing import Filters as ItemFilters
from leitstand.catalogue.listing import find as find_items
from leitstand.catalogue.search import find_items as look_up
from leitstand.conversations import assistant
from leitstand.conversations.reading import Filters, find
from leitstand.errors import Forbidden, InvalidInput, LeitstandError
from leitstand.identity.access import Principal
from leitstand.knowledge.answers import ask as answer_to
from leitstand.knowledge.search import MAX_QUESTION
from leitstand.settings import get_settings
from leitstand.storage.store import store_of
from serving.session import CurrentPrincipal, Db, require_csrf
from web.conversation_page import file_names, files_of
from web.form_values import REFUSALS, one_id
from web.pages import go, render
from web.routes.items.kind import WholeForm

router = APIRouter(prefix="/assistant", include_in_schema=False)
CSRF = [Depends(require_csrf)]
SHOWN = 5
SPACES = 200
Text = Annotated[str, Form()]


@router.get("")
def page(request: Request, session: Db, principal: CurrentPrincipal, ask: str = "") -> Response:
    """The question's form, and the last conversations; `ask` is answered without being kept."""
    if not may_see(principal, BY_SLUG["assistant"]):
        raise Forbidden("The assistant is for members of the organisation.")
    try:
        found = answer_to(session, principal=principal, question=ask) if ask.strip() else None
    except InvalidInput as error:
        return _page(request, session, principal, ask, error=error)
    items = look_up(session, principal=principal, q=ask, limit=SHOWN) if ask.strip() else []
    return _page(request, session, principal, ask, answer=found, items=items)


@router.post("", dependencies=CSRF)
def ask_it(
    request: Request,
    session: Db,
    principal: CurrentPrincipal,
    form: WholeForm,
    question: Text = "",
    space: Text = "",
) -> Response:
    """Ask, in a new conversation."""
    try:
        with session.begin_nested():
            made = assistant.begin_asking(
                session, principal=principal, question=question, space_id=one_id(space), files=files_of(form),
                storage=store_of(get_settings()),
            )  # fmt: skip
    except REFUSALS as error:
        return _page(request, session, principal, question, error=error)
    return go(f"/conversations/{made.item_id}")


def _page(
    request: Request,
    session: Db,
    principal: Principal,
    question: str,
    *,
    error: LeitstandError | None = None,
    **more: Any,
) -> Response:
    spaces = find_items(
        session, principal=principal, filters=ItemFilters(kind="space", sort="title"), limit=SPACES
    )
    earlier = find(
        session, principal=principal, filters=Filters(partner="assistant", owner="me"), limit=SHOWN
    )
    model = assistant.has_model(session, principal=principal)
    return render(
        request, principal, "assistant.html", area="assistant", code=error.status if error else 200,
        question=question, most=MAX_QUESTION, spaces=spaces.items, earlier=earlier.rows,
        error=error, **file_names(model), **({"answer": None, "items": []} | more),
    )  # fmt: skip
