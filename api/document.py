"""The OpenAPI document: what FastAPI writes of the routes, the ways to sign in, and how everything can be refused."""

from typing import Any

from fastapi import FastAPI

from api.examples import add_examples
from leitstand import errors
from serving.problems import MEDIA_TYPE

PROBLEM = "Problem"
# What any endpoint may answer instead of what it is for; the error documentation tells of each.
REFUSALS: tuple[type[errors.LeitstandError], ...] = (
    errors.NotSignedIn,
    errors.Forbidden,
    errors.NotFound,
    errors.Conflict,
    errors.ChangedMeanwhile,
    errors.TooLarge,
    errors.UnsupportedMedia,
    errors.InvalidInput,
    errors.TooManyRequests,
    errors.Unavailable,
)
SHAPE: dict[str, Any] = {
    "type": "object",
    "title": PROBLEM,
    "description": "A problem document (RFC 9457). Some kinds have members of their own.",
    "required": ["type", "title", "status", "detail", "instance", "request_id"],
    "properties": {
        "type": {"type": "string", "description": "Where the error documentation tells of it."},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "One sentence: what happened, to what."},
        "instance": {"type": "string", "description": "The path that was asked for."},
        "request_id": {"type": "string", "description": "Under which it is logged."},
        "hint": {"type": "string", "description": "What to do about it."},
        "errors": {
            "type": "array",
            "description": "Each fault: a pointer into the request and a detail; of a flow: step, problem, mend.",
            "items": {"type": "object"},
        },
    },
    "example": {
        "type": "/docs/errors#not-found",
        "title": "Not found",
        "status": 404,
        "detail": "There is no such thing, or you may not see it.",
        "instance": "/api/v1/agents/01890a5d-ac96-774b-bcce-b302099a8057",
        "request_id": "b42d5b0f2f6f4f0e9a3f0a8f3b1c7d55",
    },
}
WAYS_IN: dict[str, Any] = {
    "token": {"type": "http", "scheme": "bearer", "description": "An API token of a person."},
}


def install(app: FastAPI, prefix: str) -> None:
    """Make `app.openapi()` give the whole document; its paths begin with `prefix`."""
    written = app.openapi

    def whole() -> dict[str, Any]:
        if app.openapi_schema is None:
            complete(written())
            add_examples(written(), prefix)
        assert app.openapi_schema is not None  # noqa: S101 - FastAPI keeps what it wrote
        return app.openapi_schema

    app.openapi = whole  # type: ignore[method-assign]


def complete(document: dict[str, Any]) -> None:
    """Add to a document what FastAPI doesn't know: every operation's refusals and how to sign in."""
    parts = document.setdefault("components", {})
    shapes = parts.setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        shapes.pop(unused, None)
    shapes[PROBLEM] = SHAPE
    parts["securitySchemes"] = WAYS_IN
    document["security"] = [{name: []} for name in WAYS_IN]
    refusals = _refusals()
    for path in document["paths"].values():
        for operation in path.values():
            operation["responses"] |= refusals


def _refusals() -> dict[str, Any]:
    content = {MEDIA_TYPE: {"schema": {"$ref": f"#/components/schemas/{PROBLEM}"}}}
    told = {"400": "Not a request that can be read"} | {str(kind.status): kind.title for kind in REFUSALS}
    return {status: {"description": title, "content": content} for status, title in sorted(told.items())}
