"""Static files."""

from typing import Annotated

from fastapi import APIRouter, Header, Response

from serving.shell.assets import FOREVER, REVALIDATE, asset

router = APIRouter(include_in_schema=False)
NOT_MODIFIED = 304


@router.get("/static/{name}")
def static_file(name: str, v: str = "", if_none_match: Annotated[str, Header()] = "") -> Response:
    """One static file: kept for ever under the address that carries its hash, else asked for again."""
    found = asset(name)
    headers = {"ETag": f'"{found.digest}"', "Cache-Control": FOREVER if v == found.digest else REVALIDATE}
    if headers["ETag"] in if_none_match:
        return Response(status_code=NOT_MODIFIED, headers=headers)
    return Response(found.content, media_type=found.media_type, headers=headers)


@router.get("/favicon.ico")
def favicon() -> Response:
    """The logo, for browsers that ask here by habit."""
    found = asset("logo.svg")
    return Response(
        found.content, media_type=found.media_type, headers={"Cache-Control": "public, max-age=86400"}
    )
