"""Events: sent by programs, answered one by one; those that were refused, listed and sent once more."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request, Response

from api.models import RefusalPage, ReplayIn
from leitstand.catalogue.cursors import decode_numbered, encode_numbered
from leitstand.errors import UnsupportedMedia
from leitstand.events import intake, refusals, replay
from leitstand.identity.access import require
from leitstand.words import msg
from serving.bodies import raw_body, unpacked
from serving.idempotency import OnceRoute
from serving.session import CurrentPrincipal, Db, require_csrf

router = APIRouter(prefix="/events", tags=["events"], route_class=OnceRoute)
CSRF = [Depends(require_csrf)]
LARGEST_UNPACKED = 32 * 1024 * 1024
JSON = "application/json"
NDJSON = ("application/x-ndjson", "application/ndjson", "application/jsonl")
EVENT: dict[str, Any] = {
    "type": "object",
    "required": list(intake.REQUIRED),
    "properties": {name: {} for name in intake.REQUIRED + intake.OPTIONAL},
    "additionalProperties": False,
}
CONTENT = {
    JSON: {"schema": {"type": "object", "properties": {"events": {"type": "array", "items": EVENT}}}},
    NDJSON[0]: {"schema": EVENT},
}
COUNT = {"type": "integer", "minimum": 0}
ANSWER: dict[str, Any] = {
    "type": "object",
    "title": "EventsOut",
    "required": ["accepted", "duplicate", "refused", "items"],
    "properties": {
        "accepted": COUNT,
        "duplicate": COUNT,
        "refused": COUNT,
        "items": {
            "type": "array",
            "items": {
                "type": "object",
                "title": "EventOut",
                "required": ["event_id", "outcome"],
                "properties": {
                    "event_id": {"type": ["string", "null"], "format": "uuid"},
                    "outcome": {"type": "string", "enum": ["accepted", "duplicate", "refused"]},
                    "reason": {"type": "string", "description": "Why it was refused."},
                },
            },
        },
    },
}


@router.post(
    "",
    # The body first: no connection to the database waits for a slow sender.
    dependencies=[Depends(raw_body), *CSRF],
    response_class=Response,
    openapi_extra={"requestBody": {"required": True, "content": CONTENT}},
    responses={
        200: {"description": "An answer for each event, in order.", "content": {JSON: {"schema": ANSWER}}}
    },
)
def send_events(
    request: Request, session: Db, principal: CurrentPrincipal, body: Annotated[bytes, Depends(raw_body)]
) -> Response:
    """Take up to 1,000 events, each once, and say of each whether it was accepted, known already, or refused and why.

    They are durable, and in the figures, when the answer comes.
    """
    require(principal, "events:write")
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    read = intake.read_json if media == JSON else intake.read_ndjson
    if media != JSON and media not in NDJSON:
        raise UnsupportedMedia(
            msg("Events do not come as {media}.", media=media[:80] or "nothing"),
            hint=msg("Send {json} or {ndjson}.", json=JSON, ndjson=NDJSON[0]),
        )
    given = read(unpacked(request, body, LARGEST_UNPACKED))
    batch = intake.take_in(session, principal=principal, events=given)
    return Response(batch.to_json(), media_type=JSON)


@router.get("/refusals")
def list_refusals(
    session: Db,
    principal: CurrentPrincipal,
    source: Annotated[str, Query(max_length=40)] = "",
    outcome: Literal["", "refused", "accepted", "duplicate"] = "",
    reason: Annotated[str, Query(max_length=200)] = "",
    cursor: str = "",
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> RefusalPage:
    """Events that were refused, newest first: of a source, of an outcome, with these words in the reason."""
    require(principal, "events:write")
    found = refusals.list_refusals(
        session,
        workspace_id=principal.workspace_id,
        limit=limit,
        filters=refusals.Filters(source, outcome, reason),
        before=decode_numbered(cursor),
    )
    following = encode_numbered(*found.next) if found.next else None
    return RefusalPage(items=[row.to_dict() for row in found.rows], total=found.total, next=following)


@router.post("/refusals/replay", dependencies=CSRF)
def replay_refusals(session: Db, principal: CurrentPrincipal, wanted: ReplayIn) -> dict[str, Any]:
    """Send refused events once more: those named, or up to 1,000 of those that match (`next` leads to the rest)."""
    if wanted.ids is not None:
        return replay.replay(session, principal=principal, ids=wanted.ids).to_dict()
    filters = refusals.Filters(source=wanted.source, reason=wanted.reason)
    return replay.replay_matching(session, principal=principal, filters=filters, after=wanted.after).to_dict()
