"""The query service: retrieval and answers with citations over the documents that the person may read."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, FastAPI, Query
from prometheus_client import Counter
from pydantic import BaseModel, ConfigDict, Field
from starlette.middleware import Middleware

from leitstand.knowledge.answers import ask
from leitstand.knowledge.search import MAX_QUESTION, Hit, search
from serving.app import create_app
from serving.body_limit import LimitBody
from serving.session import CurrentPrincipal, Db, refuse_other_sites

PREFIX = "/query/v1"
LARGEST_BODY = 64 * 1024
MOST_RESULTS = 50
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
        description="extractive: quoted word for word, because no model endpoint is configured."
    )
    relevant: bool = Field(description="False when nothing in the documents fits; the answer then says so.")
    note: str
    citations: list[Citation]


class Results(BaseModel):
    """The passages that fit, best first."""

    question: str
    results: list[Passage]


@router.post("/ask")
def ask_question(session: Db, principal: CurrentPrincipal, body: Question) -> Answer:
    """Answer a question with numbered citations."""
    found = ask(session, principal=principal, question=body.question, space_id=body.space)
    ANSWERS.labels(found.kind, str(found.relevant).lower()).inc()
    values = found.to_dict()
    for citation in values["citations"]:
        citation["highlights"] = _highlights(citation["highlights"])
    return Answer.model_validate(values)


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


def _highlights(spans: Any) -> list[dict[str, int]]:
    return [{"start": start, "end": end} for start, end in spans]


def create() -> FastAPI:
    """The application; `uvicorn --factory api.query:create`."""
    app = create_app("query", title="Leitstand query", openapi_url=f"{PREFIX}/openapi.json")
    app.state.takes_tokens = True
    app.user_middleware.append(Middleware(LimitBody, largest=LARGEST_BODY))
    app.include_router(router)
    return app
