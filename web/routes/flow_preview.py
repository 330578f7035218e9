"""A draft of a flow tried out: nothing of it is kept, and it counts as no run."""

import json
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from starlette.datastructures import FormData

from leitstand.catalogue.editing import require_edit
from leitstand.catalogue.items import get_item
from leitstand.companions import versions
from leitstand.companions.flow import Flow, problems
from leitstand.companions.inputs import fields_of, from_form
from leitstand.companions.runner import Answer, Asker, State, advance, begin, replay, transcript
from leitstand.companions.spaces import model_asker, reply_from, reply_to
from leitstand.companions.steps import CLOSING, Input
from leitstand.db.engine import get_engine
from leitstand.errors import Conflict, InvalidInput, LeitstandError, TooManyRequests
from leitstand.identity.access import Principal
from serving.rates import count_question
from serving.session import CurrentPrincipal, Db, paused, require_csrf
from web.pages import render
from web.routes.items.kind import WholeForm, text_of, texts_of

router = APIRouter(prefix="/companions/{item_id}/flow/preview", include_in_schema=False)


@router.get("")
def begin_page(request: Request, session: Db, principal: CurrentPrincipal, item_id: UUID) -> Response:
    """The beginning of the newest version."""
    return _page(request, session, principal, item_id, [])


@router.post("", dependencies=[Depends(require_csrf)])
def answer(
    request: Request, session: Db, principal: CurrentPrincipal, item_id: UUID, form: WholeForm
) -> Response:
    """Answer where it stands; the form holds what was answered before."""
    return _page(request, session, principal, item_id, _answers(text_of(form, "answers")), form)


def _page(
    request: Request, session: Db, principal: CurrentPrincipal, item_id: UUID, answers: list[Answer],
    form: FormData | None = None,
) -> Response:  # fmt: skip
    item = get_item(session, principal=principal, item_id=item_id, kind=versions.KIND)
    require_edit(session, principal, item)
    number, flow = versions.newest(session, principal=principal, companion_id=item_id)
    if flow is None or problems(flow):
        return render(
            request,
            principal,
            "flow/preview.html",
            area="companions",
            writable=True,
            item=item,
            number=number,
            flow=None,
        )
    state, given = _replayed(flow, answers), ""
    error: LeitstandError | None = None
    if form is not None:
        step = flow.step(state.step)
        given = text_of(form, "text")
        if isinstance(step, Input):
            given = from_form(step, {name: texts_of(form, name) for name in form})
        try:
            with paused(session, principal):
                state, given = advance(flow, state, given, _asker(principal, item_id)), ""
        except (InvalidInput, Conflict, TooManyRequests) as refusal:
            error = refusal
    *before, current = transcript(flow, state)
    step = flow.step(state.step)
    return render(
        request, principal, "flow/preview.html", area="companions", writable=True, code=error.status if error else 200, item=item,
        number=number, flow=flow, lines=before, words=current.text, step=step, ended=step.kind in CLOSING,
        fields=fields_of(step, given) if isinstance(step, Input) else (), answers=_written(state), given=given,
        error=error,
    )  # fmt: skip


def _asker(principal: Principal, item_id: UUID) -> Asker:
    return model_asker(get_engine(), principal, item_id, allow=lambda: count_question(principal))


def _replayed(flow: Flow, answers: list[Answer]) -> State:
    """Where these answers lead; to the beginning where the flow was changed meanwhile."""
    try:
        return replay(flow, answers)
    except (InvalidInput, Conflict):
        return begin(flow)


def _written(state: State) -> str:
    return json.dumps(
        [
            [one.step, one.answer, reply_to(one.reply) if one.reply is not None else None]
            for one in state.answers
        ],
        ensure_ascii=False,
    )


def _answers(text: str) -> list[Answer]:
    try:
        return [
            Answer(str(step), str(said), reply_from(reply)) for step, said, reply in json.loads(text or "[]")
        ]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise InvalidInput("This form is out of date.", hint="Begin the preview again.") from None
