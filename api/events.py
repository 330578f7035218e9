"""Events: sent by programs, answered one by one."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from leitstand.errors import UnsupportedMedia
from leitstand.events import intake
from leitstand.identity.access import require
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


@router.post(
    "",
    dependencies=CSRF,
    response_class=Response,
    openapi_extra={"requestBody": {"required": True, "content": CONTENT}},
    responses={200: {"description": "An answer for each event, in order.", "content": {JSON: {}}}},
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
            f"Events do not come as {media[:80] or 'nothing'}.", hint=f"Send {JSON} or {NDJSON[0]}."
        )
    given = read(unpacked(request, body, LARGEST_UNPACKED))
    batch = intake.take_in(session, principal=principal, events=given)
    return Response(batch.to_json(), media_type=JSON)
