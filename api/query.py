"""The query service: retrieval and answers with citations over the documents that the person may read."""

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from threading import Thread
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, FastAPI, Query, Request, Response
from prometheus_client import Counter
from pydantic import BaseModel, ConfigDict, Field
from starlette.middleware import Middleware

from leitstand.db.engine import get_engine
from leitstand.identity.access import Principal
from leitstand.knowledge import answers, citations, encoder
from leitstand.knowledge.model_answers import Basis, compose, look_up
from leitstand.knowledge.search import MAX_QUESTION, Hit, search
from serving.app import create_app
from serving.body_limit import LimitBody
from serving.following import EVENT_STREAM, Following, Tell, Told, wants_events
from serving.rates import count_question
from serving.session import CurrentPrincipal, Db, refuse_other_sites, visit

PREFIX = "/query/v1"
LARGEST_BODY = 64 * 1024
MOST_RESULTS = 50
ANSWER_SECONDS = 60.0
ANSWERS = Counter(
    "leitstand_query_answers_total",
    "Questions answered, by kind and whether anything fitted.",
    ["kind", "relevant"],
)

router = APIRouter(prefix=PREFIX, tags=["query"], dependencies=[Depends(refuse_other_sites)])


class Question(BaseModel):
    """What is asked, and of which space (all that the person may read, where none is named)."""

    model_config = ConfigDict(extra="forbid")

    question: str = Field(min_length=1, max_length=MAX_QUESTION)
    space: UUID | None = None


class Highlight(BaseModel):
    """Where a word of the question stands in the passage, in characters."""

    start: int
    end: int


class Passage(BaseModel):
    """A passage and where it stands."""

    document_id: UUID
    space_id: UUID
    title: str
    heading: str = Field(description="The document's title and the headings above the passage.")
    passage: int = Field(description="Position of the passage in its document, from 1.")
    text: str
    highlights: list[Highlight]
    score: float = Field(description="BM25 as a share of the question's weight.")
    coverage: float = Field(description="Share of the question's weight that stands in the passage, 0 to 1.")


class Citation(Passage):
    """A passage that an answer rests on."""

    number: int = Field(description="As it stands in the answer, in brackets.")
    quote: str = Field(description="The words that the answer takes from the passage.")


class Answer(BaseModel):
    """An answer and what it rests on."""

    question: str
    answer: str
    kind: str = Field(
        description="model: written by one from the passages; extractive: quoted from them word for word."
    )
    model: str = Field(description="Which one wrote it; empty where none did.")
    relevant: bool = Field(
        description="False when nothing in the documents answers; the answer then says so."
    )
    note: str = Field(description="How it was made; where it is quoted although there is a model, why.")
    citations: list[Citation]


class Results(BaseModel):
    """The passages that fit, best first."""

    question: str
    results: list[Passage]


EVENTS = """\
With `Accept: text/event-stream`, the same as it comes, in server-sent events whose data is JSON:

- `passages`: `{"results": [Passage]}`, what the model is given; left out where none is asked.
- `text`: `{"answer": "…"}`, the whole answer so far, with numbers as it will have them; about once a second. It may \
begin anew, where an attempt of the model's broke off. It is not checked yet: only `answer` counts.
- `answer`: an Answer, and the end.
- `error`: a Problem instead of it, and the end.

Lines that begin with a colon come while nothing else does. Whoever closes the connection stops the model.
"""
EXAMPLE = """\
event: passages
data: {"results": [{"title": "herons.md", "passage": 1, "text": "The grey heron weighs up to two kilograms."}]}

event: text
data: {"answer": "It weighs up to"}

event: answer
data: {"question": "How heavy is it?", "answer": "It weighs up to two kilograms [1].", "kind": "model"}
"""
STREAMED: dict[str, Any] = {
    "description": "The answer. " + EVENTS,
    "content": {EVENT_STREAM: {"schema": {"type": "string"}, "example": EXAMPLE}},
}


def looked_up(request: Request, body: Question) -> tuple[Principal, Basis]:
    """Who asks, and what there is to answer from; in one transaction, which has ended before a model is asked."""
    with visit(request) as (session, principal):
        found = look_up(session, principal=principal, question=body.question, space_id=body.space)
        return principal, found


@router.post("/ask", response_model=Answer, responses={200: STREAMED})
async def ask_question(
    request: Request, body: Question, asked: Annotated[tuple[Principal, Basis], Depends(looked_up)]
) -> Any:
    """Answer a question with numbered citations: by a model where the workspace has one, else by quotes."""
    principal, basis = asked

    def work(tell: Tell, stopped: Callable[[], bool]) -> answers.Answer:
        return compose(
            get_engine(),
            principal=principal,
            question=body.question,
            space_id=body.space,
            basis=basis,
            purpose="ask",
            seconds=ANSWER_SECONDS,
            allow=lambda: count_question(principal),
            on_found=lambda found: tell("passages", {"results": [_found(one) for one in found]}),
            on_text=lambda text: tell("text", {"answer": text}),
            stopped=stopped,
        )

    if basis.target is None and not wants_events(request):
        # Nothing is left to wait for.
        return _json(_answer(answers.extractive(body.question, basis.quotes.fitting)))
    following = Following(work)
    if not wants_events(request):
        return _json(_answer(await following.result(request)))
    return await following.stream(
        request, lambda found: Told("answer", _answer(found).model_dump(mode="json"))
    )


def _json(answer: Answer) -> Response:
    """As it is: checked by its model already, once is enough."""
    return Response(answer.model_dump_json(), media_type="application/json")


def _answer(found: answers.Answer) -> Answer:
    ANSWERS.labels(found.kind, str(found.relevant).lower()).inc()
    return Answer(
        question=found.question,
        answer=found.answer,
        kind=found.kind,
        model=found.model,
        relevant=found.relevant,
        note=found.note,
        citations=[Citation(number=one.number, quote=one.quote, **_where(one)) for one in found.citations],
    )


def _where(found: citations.Citation) -> dict[str, Any]:
    """A passage and where it stands, as the models take it."""
    return {
        "document_id": found.document_id,
        "space_id": found.space_id,
        "title": found.title,
        "heading": found.heading,
        "passage": found.passage,
        "text": found.text,
        "highlights": _highlights(found.highlights),
        "score": found.score,
        "coverage": found.coverage,
    }


def _found(citation: citations.Citation) -> dict[str, Any]:
    """A passage that a model is given, as JSON values."""
    return Passage(**_where(citation)).model_dump(mode="json")


@router.get("/search")
def search_passages(
    session: Db,
    principal: CurrentPrincipal,
    q: Annotated[str, Query(min_length=1, max_length=MAX_QUESTION)],
    space: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=MOST_RESULTS)] = 10,
) -> Results:
    """The passages that fit a question best."""
    found = search(session, principal=principal, question=q, space_id=space, limit=limit)
    return Results(question=q, results=[_passage(hit) for hit in found.hits])


def _passage(hit: Hit) -> Passage:
    return Passage.model_validate(
        {
            "document_id": hit.document_id,
            "space_id": hit.space_id,
            "title": hit.title,
            "heading": hit.heading,
            "passage": hit.ordinal,
            "text": hit.content,
            "highlights": _highlights(hit.highlights),
            "score": round(hit.score, 4),
            "coverage": round(hit.coverage, 4),
        }
    )


def _highlights(spans: Iterable[tuple[int, int]]) -> list[Highlight]:
    return [Highlight(start=start, end=end) for start, end in spans]


@asynccontextmanager
async def _prepared(_: FastAPI) -> AsyncIterator[None]:
    """The model comes beside the first requests: the first question after a release need not wait for it."""
    Thread(target=encoder.load, name="encoder", daemon=True).start()
    yield


def create() -> FastAPI:
    """The application; `uvicorn --factory api.query:create`."""
    app = create_app(
        "query", title="Leitstand query", openapi_url=f"{PREFIX}/openapi.json", lifespan=_prepared
    )
    app.state.takes_tokens = True
    app.user_middleware.append(Middleware(LimitBody, largest=LARGEST_BODY))
    app.include_router(router)
    return app
