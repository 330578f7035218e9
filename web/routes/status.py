"""The public status page: it asks no session and no database, and answers from memory while those are away."""

from functools import lru_cache

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from leitstand.db.engine import get_engine
from leitstand.health.overview import overview
from leitstand.health.public_status import KEEP_SECONDS, StatusBoard
from leitstand.settings import get_settings
from web.pages import render

router = APIRouter(include_in_schema=False)
KEPT = {"Cache-Control": f"public, max-age={KEEP_SECONDS:.0f}"}


@lru_cache(maxsize=1)
def board() -> StatusBoard:
    """One a process."""
    return StatusBoard(lambda: overview(get_engine(), get_settings()))


@router.get("/status")
def status_page(request: Request) -> Response:
    """Which parts of the product work."""
    answer = render(request, None, "status.html", area="", status=board().now())
    answer.headers.update(KEPT)
    return answer


@router.get("/status.json")
def status_document() -> Response:
    """The same for programs."""
    status = board().now()
    parts = [
        {"name": part.name, "state": part.state, "since": part.since.isoformat()} for part in status.parts
    ]
    return JSONResponse({"state": status.state, "at": status.at.isoformat(), "parts": parts}, headers=KEPT)
