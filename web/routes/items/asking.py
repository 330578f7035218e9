"""A space asked from its page: the whole page with the answer, or the answer as it is written."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from anyio import to_thread
from fastapi import APIRouter, Depends, Request, Response

from leitstand.db.engine import get_engine
from leitstand.errors import LeitstandError, TooManyRequests
from leitstand.identity.access import Principal
from leitstand.knowledge.answers import Answer
from leitstand.knowledge.model_answers import compose
from serving.following import Following, Tell, Told, wants_events
from serving.rates import count_question
from serving.session import VisitingPrincipal, require_csrf_visiting, transaction_of
from web.form_values import REFUSALS
from web.pages import piece
from web.routes.items.kind import CurrentKind, WholeForm, text_of
from web.routes.items.pages import show

router = APIRouter(prefix="/spaces", dependencies=[Depends(require_csrf_visiting)])
ANSWER_SECONDS = 60.0


@router.post("/{item_id}/ask")
async def ask(
    request: Request, principal: VisitingPrincipal, kind: CurrentKind, item_id: UUID, form: WholeForm
) -> Response:
    """Ask a model where the workspace has one; what can't be answered comes back beside the question.

    With `Accept: text/event-stream`: `text` is the answer so far, `answer` the piece of the page that holds the whole.
    """
    question = text_of(form, "question")
    following = Following(_work(principal, item_id, question))
    if wants_events(request):
        return await following.stream(request, lambda found: _told(principal, found))
    answer = await following.result(request)

    def page() -> Response:
        with transaction_of(principal) as session:
            return show(request, session, principal, kind, item_id, ask=question, answer=answer)

    return await to_thread.run_sync(page)


def _work(
    principal: Principal, item_id: UUID, question: str
) -> Callable[[Tell, Callable[[], bool]], Answer | LeitstandError]:
    def work(tell: Tell, stopped: Callable[[], bool]) -> Answer | LeitstandError:
        try:
            return compose(
                get_engine(),
                principal=principal,
                question=question,
                space_id=item_id,
                purpose="ask",
                seconds=ANSWER_SECONDS,
                allow=lambda: count_question(principal),
                on_text=lambda text: tell("text", {"answer": text}),
                stopped=stopped,
            )
        except (*REFUSALS, TooManyRequests) as error:
            return error

    return work


def _told(principal: Principal, found: Any) -> Told:
    return Told("answer", {"html": piece(principal, "parts/space_answer.html", answer=found)})
